"""Does `vit model import` read timm's architectures as timm has them? python check_timm_names.py VIT [NAME...]

For each model of timm's classes VisionTransformer, VisionTransformerDistilled and Eva a folder as save_for_hf writes it,
whose weights are a hole of the right size, is imported with --dry-run; heads, eps, activation, pooling, norms, rotary
positions, tokens and the number of parameters are compared. Nothing of size is written. Not for CI.
Needs torch, timm.
"""
import argparse
import collections
import json
import os
import subprocess
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import timm
import torch
from timm.models._hub import save_config_for_hf

# Blocks that are others: told by an error, never taken for what they are not.
STRANGERS = ("_rpn_", "_xp_", "vit_dwee", "vit_dlittle", "vit_pwee", "vit_dpwee", "_18x2_", "eva02_enormous", "_sapiens2")


def hole(model, path):
    """A safetensors file of the model's names and shapes without its bytes."""
    header, offset = {}, 0
    for name, tensor in sorted(model.state_dict().items()):
        end = offset + 4 * tensor.numel()
        header[name] = dict(dtype="F32", shape=list(tensor.shape), data_offsets=[offset, end])
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + offset)


def facts(model):
    """What the importer has to find, in the words of our config."""
    block, f = model.blocks[0], {}
    attn = block.attn
    f["heads"] = attn.num_heads
    norm = block.norm1
    f["eps"] = norm.eps
    f["norm"] = "rmsnorm" if "rms" in type(norm).__name__.lower() else "layernorm"
    act = type(block.mlp.act).__name__
    swiglu = type(block.mlp).__name__ in ("GluMlp", "SwiGLU")
    f["mlp"] = "swiglu" if swiglu else "mlp"
    if not swiglu:
        f["activation"] = {"GELU": "gelu", "GELUTanh": "gelu_tanh", "QuickGELU": "quick_gelu"}[act]
    f["pooling"] = model.global_pool
    identity = lambda m: isinstance(m, torch.nn.Identity)
    f["norm before"], f["norm after"] = not identity(model.norm), not identity(model.fc_norm)
    f["width"], f["depth"] = model.embed_dim, len(model.blocks)
    f["parameters"] = sum(p.numel() for p in model.parameters())
    patch = model.patch_embed.patch_size[0]
    grid = model.pretrained_cfg["input_size"][1] // patch
    f["image_size"], f["tokens"] = grid * patch, grid * grid + model.num_prefix_tokens
    f["qk_norm"] = not identity(attn.q_norm)
    rope = getattr(model, "rope", None)
    kind = {"RotaryEmbeddingCat": "axial", "RotaryEmbeddingDinoV3": "dinov3", "RotaryEmbeddingMixed": "mixed"}
    f["rope"] = kind[type(rope).__name__] if rope is not None else "none"
    if f["rope"] == "axial":
        f["rope_theta"], f["rope_offset"] = rope.temperature, rope.grid_offset
        f["rope_order"], f["rope_reference"] = rope.grid_indexing, (rope.ref_feat_shape or [0])[0]
    if f["rope"] == "dinov3":
        f["rope_theta"] = rope.temperature
    pool = getattr(model, "attn_pool", None)
    if pool is not None:
        f["pool_heads"] = pool.num_heads
        f["pool_prefix"] = model.num_prefix_tokens > 0 and getattr(model, "pool_include_prefix", True)
    return f


def found(lines, want):
    """The same of what the program prints."""
    config = json.loads(next(line for line in lines if line.startswith("config")).split(None, 1)[1])
    number = lambda start, word: int(next(line for line in lines if line.startswith(start)).split()[word])
    defaults = dict(norm="layernorm", mlp="mlp", qk_norm=False, rope="none", rope_theta=10000.0, rope_offset=0.0,
                    rope_order="ij", rope_reference=0.0, pool_heads=0, pool_prefix=False, final_norm="by_pooling")
    c = defaults | config
    place = c["final_norm"]
    if place == "by_pooling":
        place = "after_pooling" if c["pooling"] == "avg" else "before_pooling"
    c["norm before"], c["norm after"] = place == "before_pooling", place == "after_pooling"
    c["parameters"] = number("parameters", 1)
    c["tokens"] = int(next(line for line in lines if line.startswith("picture")).split(",")[1].split()[0])
    c["pool_heads"] = c["pool_heads"] or c["heads"]
    return {key: c[key] for key in want}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vit")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    names = args.names or [n for m in ("vision_transformer", "deit", "eva") for n in timm.list_models(module=m)]
    counts = collections.Counter()
    for name in names:
        model = timm.create_model(name, device="meta")
        with tempfile.TemporaryDirectory() as folder:
            save_config_for_hf(model, os.path.join(folder, "config.json"))
            hole(model, Path(folder) / "model.safetensors")
            run = subprocess.run([args.vit, "model", "import", folder, folder + "/out.h5", "--dry-run"], text=True,
                                 capture_output=True)
        stranger = any(s in name for s in STRANGERS)
        if run.returncode:
            counts["refused" if stranger else "failed"] += 1
            print("refused" if stranger else "FAILED", name, run.stderr.strip()[:200], flush=True)
            continue
        want = facts(model) if not stranger else {}
        got = found(run.stdout.splitlines(), want)
        wrong = {k: (got[k], v) for k, v in want.items()
                 if not (abs(got[k] - v) < 1e-9 + 1e-5 * abs(v) if isinstance(v, float) else got[k] == v)}
        if stranger:
            wrong = {"it": "is taken for another"}
        counts["wrong" if wrong else "right"] += 1
        if wrong:
            print("WRONG", name, "found and wanted:", wrong, flush=True)
    print(dict(counts))
    return 1 if counts["wrong"] or counts["failed"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
