"""The PyTorch side of encoder.ts: a network run on request, a reference from a checkout of its repository or one of networks_torch.py.

Reads one line of JSON with the case, then a line per run. Answers each with one line of JSON.

    python3 bench/encoder_torch.py --check <folder>

compares networks_torch.py with recorded outputs of the official code instead, see networks_check.py.
"""

import importlib.util
import json
import logging
import os
import resource
import sys
import time
import types

import torch
from networks_torch import InternVideo2, PerceptionEncoder, Vjepa2, Vjepa21
from torch import nn


def stub(name, **members):
    """A module that the reference imports but does not need for inference."""
    module = types.ModuleType(name)
    module.__dict__.update(members)
    sys.modules[name] = module
    return module


def load(path):
    spec = importlib.util.spec_from_file_location("reference", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def stubs():
    stub("timm")
    stub("timm.models")
    stub("timm.models.registry", register_model=lambda function: function)
    stub(
        "timm.models.layers",
        DropPath=nn.Identity,
        drop_path=lambda x, *_: x,
        to_2tuple=lambda x: (x, x),
        trunc_normal_=nn.init.trunc_normal_,
    )
    slowfast = stub("slowfast")
    slowfast.utils = stub("slowfast.utils")
    slowfast.utils.logging = stub("slowfast.utils.logging", get_logger=logging.getLogger)


# width, depth, heads
SMALL, BASE, LARGE = (384, 12, 6), (768, 12, 12), (1024, 24, 16)
SIZES = {"S/14": SMALL, "B/14": BASE, "B/16": BASE, "L/16": LARGE}


def reference(kind, model, frames, checkout):
    stubs()
    if kind == "uniformerv2":
        module = load(os.path.join(checkout, "slowfast/models/uniformerv2_model.py"))
        make = {"B/16": module.uniformerv2_b16, "L/14": module.uniformerv2_l14}[model]
        return make(pretrained=False, t_size=frames, temporal_downsample=False, no_lmhra=True)
    module = load(os.path.join(checkout, "modeling_finetune.py"))
    make = {"B/16": module.vit_base_patch16_224, "L/16": module.vit_large_patch16_224}[model]
    return make(all_frames=frames, num_classes=400)


def network(kind, model, frames, pixels, checkout):
    patch = int(model.split("/")[1])
    side = pixels // patch
    if kind == "vjepa2":
        return Vjepa2(*SIZES[model], patch)
    if kind == "vjepa21":
        return Vjepa21(*SIZES[model], patch)
    if kind == "pe_core":
        return PerceptionEncoder(*SIZES[model], patch, side, 1024)
    if kind == "internvideo2":
        return InternVideo2(*SIZES[model], patch, (frames, side, side), 400)
    return reference(kind, model, frames, checkout)


def library():
    with open("/proc/self/maps") as maps:
        loaded = maps.read()
    return "mkl" if "libmkl" in loaded else "openblas" if "openblas" in loaded else "generic blas"


def main():
    case = json.loads(sys.stdin.readline())
    torch.set_num_threads(case["threads"])
    net = network(*(case[name] for name in ("kind", "model", "frames", "pixels", "checkout"))).eval()
    clip = torch.rand(case["shape"])
    with torch.no_grad():
        for _ in sys.stdin:
            clock, processor = time.perf_counter(), time.process_time()
            net(clip)
            cost = {"clock": time.perf_counter() - clock, "processor": time.process_time() - processor}
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            weights = sum(p.numel() for p in net.parameters())
            answer = {"cost": cost, "peakMiB": peak, "weights": weights, "library": library()}
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    elif len(sys.argv) == 3 and sys.argv[1] == "--check":
        from networks_check import check

        with torch.no_grad():
            sys.exit(0 if check(sys.argv[2]) else 1)
    else:
        sys.exit("usage: encoder_torch.py [--check <folder of recorded outputs>]")
