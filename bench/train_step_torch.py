"""The PyTorch side of train_step.ts: the same head, step by step on request.

Reads one line of JSON with the case, then a line per request: a number of steps. Answers with one line of JSON.
"""

import json
import math
import os
import resource
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

HEAD_WIDTH = 64


def filled(shape, name, scale):
    """The numbers that train_step.ts makes: scale * sin(i * 0.7 + letters of the name)."""
    offset = sum(map(ord, name))
    count = math.prod(shape)
    values = torch.sin(torch.arange(count, dtype=torch.float64) * 0.7 + offset) * scale
    return values.to(torch.float32).reshape(shape)


class Block(nn.Module):
    def __init__(self, width, ffn):
        super().__init__()
        self.heads = width // HEAD_WIDTH
        self.attention_norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.ffn_norm = nn.LayerNorm(width)
        self.ffn = ffn
        if ffn == "mlp":
            self.ffn_in = nn.Linear(width, 4 * width)
            self.ffn_out = nn.Linear(4 * width, width)
        else:
            self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x):
        b, t, h, w, d = x.shape
        tokens = self.attention_norm(x).reshape(b, t * h * w, d)
        qkv = self.qkv(tokens).reshape(b, t * h * w, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
        scores = (q * (d // self.heads) ** -0.5) @ k.transpose(-2, -1)
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(b, t * h * w, d)
        x = x + self.out(mixed).reshape(x.shape)
        y = self.ffn_norm(x)
        if self.ffn == "mlp":
            return x + self.ffn_out(F.gelu(self.ffn_in(y)))
        maps = y.reshape(b * t, h, w, d).permute(0, 3, 1, 2)
        fed = F.gelu(self.conv(maps)).permute(0, 2, 3, 1)
        return x + fed.reshape(x.shape)


class Head(nn.Module):
    def __init__(self, width, ffn, classes):
        super().__init__()
        self.blocks = nn.ModuleList([Block(width, ffn) for _ in range(2)])
        self.norm = nn.LayerNorm(width)
        self.linear = nn.Linear(width, classes)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.linear(self.norm(x.mean((1, 2, 3))))


def load(model, weights):
    """`weights` lists the other side's [name, shape, scale, base]; matrices there are [in, out]."""
    names = {
        "attention.norm": "attention_norm",
        "attention.qkv": "qkv",
        "attention.out": "out",
        "ffn.norm": "ffn_norm",
        "ffn.in": "ffn_in",
        "ffn.out": "ffn_out",
        "ffn.conv": "conv",
    }
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for name, shape, scale, base in weights:
            *path, kind = name.split(".")
            path = [part.replace("block", "blocks.") for part in path if part != "classifier"]
            path = ".".join(path)
            for ours, theirs in names.items():
                path = path.replace(ours, theirs)
            values = filled(shape, name, scale) + base
            if kind == "weight" and len(shape) == 2:
                values = values.t()
            elif kind == "weight" and len(shape) == 4:
                values = values.permute(3, 2, 0, 1)
            parameters.pop(f"{path}.{'weight' if kind == 'scale' else kind}").copy_(values)
    assert not parameters, list(parameters)


def blas():
    """The library that PyTorch's matrix products come from. Debian's reference BLAS is thirty times slower than OpenBLAS."""
    with open("/proc/self/maps") as maps:
        libraries = {os.path.basename(line.split()[-1]) for line in maps if ".so" in line}
    known = [name for name in sorted(libraries) if "openblas" in name or "mkl" in name or "libblas" in name]
    return next((name for name in known if "openblas" in name or "mkl" in name), known[0] if known else "unknown")


def main():
    case = json.loads(sys.stdin.readline())
    torch.set_num_threads(case["threads"])
    model = Head(case["D"], case["ffn"], case["classes"])
    load(model, case["weights"])
    x = filled([case[axis] for axis in "BTHWD"], "x", 1.0)
    labels = torch.arange(case["B"]) % case["classes"]
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 0.05}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-4, foreach=case["foreach"])
    for request in sys.stdin:
        times, cpu, losses = [], [], []
        for _ in range(int(request)):
            start, busy = time.perf_counter(), time.process_time()
            loss = F.cross_entropy(model(x), labels)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            times.append(time.perf_counter() - start)
            cpu.append(time.process_time() - busy)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        answer = {"times": times, "cpu": cpu, "losses": losses, "peakMiB": peak, "library": blas()}
        print(json.dumps(answer), flush=True)


main()
