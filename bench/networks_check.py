"""Compares networks_torch.py with recorded outputs of the official code: `python3 bench/encoder_torch.py --check <folder>`.

The folder has a folder for each network, such as vjepa2/, with config.json, weights.safetensors, and inputs and outputs as .npy.
"""

import json
import os
import struct

import numpy
import torch
from networks_torch import InternVideo2, PerceptionEncoder, Vjepa2, Vjepa21, pe_names

TOLERANCE = 1e-4


def read_safetensors(path):
    """Tensors by name, all of float32."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = bytearray(file.read())
    header.pop("__metadata__", None)
    wrong = [f"{name} ({entry['dtype']})" for name, entry in header.items() if entry["dtype"] != "F32"]
    if wrong:
        raise SystemExit(f"{path}: expected F32 alone, found {', '.join(wrong)}")
    return {
        name: torch.frombuffer(data, dtype=torch.float32)[start // 4 : end // 4].view(entry["shape"])
        for name, entry in header.items()
        for start, end in [entry["data_offsets"]]
    }


def below(prefix, weights):
    """The tensors whose names begin with `prefix`, without it."""
    return {name[len(prefix) :]: tensor for name, tensor in weights.items() if name.startswith(prefix)}


def vjepa2(config, weights, array):
    net = Vjepa2(config["embed_dim"], config["depth"], config["num_heads"], config["patch_size"])
    net.load_state_dict(below("encoder.", weights))
    yield "feature_map", net(array("input"))
    yield "feature_map_before_norm", net.before_norm(array("input"))
    yield "feature_map_nonsquare", net(array("input_nonsquare"))


def vjepa21(config, weights, array):
    net = Vjepa21(config["embed_dim"], config["depth"], config["num_heads"], config["patch_size"])
    net.load_state_dict(weights)
    clips = array("input")
    yield "feature_map", net(clips)
    yield "feature_map_before_norm", net.states(clips, net.levels)[-1]
    yield "hierarchical", net.hierarchical(clips)
    yield "feature_map_other", net(array("input_other"))
    yield "feature_map_image", net(array("input_image"))[:, 0]


def pe_core(config, weights, array):
    sizes = [config[f"vision_{name}"] for name in ("width", "layers", "heads")]
    patch = config["patch_size"]
    net = PerceptionEncoder(*sizes, patch, config["image_size"] // patch, config["embed_dim"])
    net.load_state_dict({pe_names(name): tensor for name, tensor in below("visual.", weights).items()})
    images = array("input")
    tokens, grid = net.tokens(images)
    yield "feature_map_before_norm", tokens[:, 1:].unflatten(1, grid)
    yield "class_token", net.ln_post(tokens)[:, 0]
    yield "pooled", net.attn_pool(net.ln_post(tokens))
    for suffix in ("", "_other"):
        feature_map, embedding = net(array(f"input{suffix}"))
        yield f"feature_map{suffix}", feature_map
        yield f"image_embedding{suffix}", embedding
    yield "video_embedding", net.video_embedding(array("input_video"))


def internvideo2(config, weights, array):
    sizes = [config[name] for name in ("embed_dim", "depth", "num_heads", "patch_size")]
    side = config["img_size"] // config["patch_size"]
    grid = (config["num_frames"], side, side)
    net = InternVideo2(*sizes, grid, config["num_classes"], config["clip_embed_dim"])
    net.load_state_dict(weights)
    tokens, _ = net.tokens(array("input"))
    yield "class_token", tokens[:, 0]
    yield "pooled", net.clip_projector(tokens)
    yield "pooled_normed", net.fc_norm(net.clip_projector(tokens))
    for suffix in ("", "_other"):
        feature_map, logits = net(array(f"input{suffix}"))
        yield f"feature_map{suffix}", feature_map
        yield f"logits{suffix}", logits


NETWORKS = {"vjepa2": vjepa2, "vjepa21": vjepa21, "pe_core": pe_core, "internvideo2": internvideo2}


def check(folder):
    """Prints the largest difference of every output. True where all are within the tolerance."""
    right = True
    for name, outputs in NETWORKS.items():
        path = os.path.join(folder, name)
        if not os.path.isdir(path):
            raise SystemExit(f"{folder}: expected the folders {', '.join(NETWORKS)}, found no {name}")

        def array(label):
            return torch.from_numpy(numpy.load(os.path.join(path, f"{label}.npy")))

        with open(os.path.join(path, "config.json")) as file:
            config = json.load(file)
        for output, computed in outputs(config, read_safetensors(os.path.join(path, "weights.safetensors")), array):
            recorded = array(output)
            same_shape = computed.shape == recorded.shape
            difference = (computed - recorded).abs().max().item() if same_shape else float("nan")
            fits = difference <= TOLERANCE
            right = right and fits
            print(f"{name:13}{output:24}{difference:9.1e}  {'equal' if fits else 'DIFFERENT'}")
    return right
