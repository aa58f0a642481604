"""The PyTorch side of encoder.ts: a reference network from a checkout of its repository, run on request.

Reads one line of JSON with the case, then a line per run. Answers each with one line of JSON.
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


def network(kind, model, frames, checkout):
    if kind == "uniformerv2":
        reference = load(os.path.join(checkout, "slowfast/models/uniformerv2_model.py"))
        make = {"B/16": reference.uniformerv2_b16, "L/14": reference.uniformerv2_l14}[model]
        return make(pretrained=False, t_size=frames, temporal_downsample=False, no_lmhra=True)
    reference = load(os.path.join(checkout, "modeling_finetune.py"))
    make = {"B/16": reference.vit_base_patch16_224, "L/16": reference.vit_large_patch16_224}[model]
    return make(all_frames=frames, num_classes=400)


def library():
    with open("/proc/self/maps") as maps:
        loaded = maps.read()
    return "mkl" if "libmkl" in loaded else "openblas" if "openblas" in loaded else "generic blas"


def main():
    case = json.loads(sys.stdin.readline())
    torch.set_num_threads(case["threads"])
    stubs()
    net = network(case["kind"], case["model"], case["frames"], case["checkout"]).eval()
    clip = torch.rand(1, 3, case["frames"], 224, 224)
    with torch.no_grad():
        for _ in sys.stdin:
            clock, processor = time.perf_counter(), time.process_time()
            net(clip)
            cost = {"clock": time.perf_counter() - clock, "processor": time.process_time() - processor}
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            weights = sum(p.numel() for p in net.parameters())
            answer = {"cost": cost, "peakMiB": peak, "weights": weights, "library": library()}
            print(json.dumps(answer), flush=True)


main()
