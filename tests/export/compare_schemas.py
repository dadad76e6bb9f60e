"""timm and transformers on exported folders: python compare_schemas.py VIT [CASE...]

Each model of golden_models.py is exported in each schema that has words for it and opened by the other library; logits
(of a model without a head features) are compared with `vit classify --logits` on pictures of the model's own size, the
folder is imported again and must give the weights' bits. Ends with 1 where something differs by more than 1e-4.
Needs torch, timm, transformers, h5py, numpy, Pillow.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import h5py
import numpy as np
import timm
import torch
import transformers
from golden_models import all_names, make_model, our_logits, pictures

LIMIT = 1e-4


def of_timm(folder, pixels):
    return timm.create_model(f"local-dir:{folder}", pretrained=True).eval()(pixels)


def of_hf(folder, pixels):
    name = json.loads((folder / "config.json").read_text())["architectures"][0]
    model, report = getattr(transformers, name).from_pretrained(folder, output_loading_info=True)
    missing = [k for k in report["missing_keys"] if "mask_token" not in k and "pooler" not in k]
    assert not missing and not report["unexpected_keys"], report
    out = model.eval()(pixels)
    return out.logits if hasattr(out, "logits") else out.image_embeds if hasattr(out, "image_embeds") else out.pooler_output


def config_of(vit, model):
    """the fields that act, with their defaults left out"""
    config = json.loads(subprocess.run([vit, "model", "info", model, "--json"], check=True, capture_output=True,
                                       text=True).stdout)["config"]
    idle = ["name", "layer_scale_init"]
    idle += ["rope_order"] if config.get("rope") != "axial" else []
    idle += ["rope_theta"] if config.get("rope") == "mixed" else []
    return {k: v for k, v in config.items() if k not in idle}


def same_bits(vit, a, b):
    with h5py.File(a) as f, h5py.File(b) as g:
        names = sorted(f["weights"])
        if names != sorted(g["weights"]):
            return "other names"
        bad = [n for n in names if (f["weights"][n][:].view(np.uint32) != g["weights"][n][:].view(np.uint32)).any()]
    old, new = config_of(vit, a), config_of(vit, b)
    bad += [k for k in old.keys() | new.keys() if old.get(k) != new.get(k)]
    return "" if not bad else ", ".join(bad)


def compare(vit, name, schema, open_folder, model, work, pixels, ours):
    out = work / schema
    export = subprocess.run([vit, "model", "export", model, out, "--schema", schema], capture_output=True, text=True)
    if export.returncode == 2:
        print(f"{name:32} {schema:5} refused: {export.stderr.strip()[:150]}", flush=True)
        return None
    assert export.returncode == 0, export.stderr
    with torch.inference_mode():
        theirs = open_folder(out, torch.from_numpy(pixels)).numpy()
    back = work / f"{schema}.h5"
    imported = subprocess.run([vit, "model", "import", out, back], capture_output=True, text=True)
    bits = same_bits(vit, model, back) if imported.returncode == 0 else imported.stderr.strip()
    error = np.abs(theirs - ours).max() if theirs.shape == ours.shape else np.inf
    good = error <= LIMIT and not bits
    print(f"{name:32} {schema:5} {error:9.2e}  back {'the same' if not bits else bits}{'' if good else '  FAILED'}", flush=True)
    return good


SMALL = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, image_size=16, patch_size=8,
             num_labels=3)
OTHERS = [  # which no golden of ours is; exported to transformers alone
    (transformers.Dinov2WithRegistersForImageClassification,
     transformers.Dinov2WithRegistersConfig(**SMALL, mlp_ratio=2, num_register_tokens=4)),
    (transformers.Dinov2ForImageClassification, transformers.Dinov2Config(**SMALL, mlp_ratio=3, use_swiglu_ffn=True)),
    (transformers.DINOv3ViTModel, transformers.DINOv3ViTConfig(**SMALL, num_register_tokens=4)),
    (transformers.DINOv3ViTModel, transformers.DINOv3ViTConfig(**SMALL, num_register_tokens=2, use_gated_mlp=True, hidden_act="silu")),
    (transformers.CLIPVisionModel, transformers.CLIPVisionConfig(**SMALL)),
    (transformers.CLIPVisionModelWithProjection, transformers.CLIPVisionConfig(**SMALL, projection_dim=24)),
    (transformers.SiglipVisionModel, transformers.SiglipVisionConfig(**SMALL)),
]


def compare_other(vit, kind, config, work):
    """A model of transformers with random weights, imported, exported and opened again: the same numbers come out."""
    torch.manual_seed(3)
    theirs = kind(config).eval()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    theirs.save_pretrained(work / "theirs")
    for command in (["import", work / "theirs", work / "model.h5"], ["export", work / "model.h5", work / "hf", "--schema", "hf"]):
        done = subprocess.run([vit, "model", *command], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    pixels = torch.randn(4, 3, 16, 16)
    with torch.inference_mode():
        again = of_hf(work / "hf", pixels)
        theirs.config.architectures = [kind.__name__]
        error = (again - of_hf(work / "theirs", pixels)).abs().max().item()
    kept, saved = kind.from_pretrained(work / "hf").state_dict(), theirs.state_dict()
    bad = [k for k in saved if "mask_token" not in k and "pooler" not in k and not torch.equal(kept[k], saved[k])]
    # DINOv2 with registers: the class token's position is part of the token
    folded = [k for k in bad if k.endswith(("cls_token", "position_embeddings")) and "register" in kind.__name__.lower()]
    bad = [k for k in bad if k not in folded]
    good = error <= LIMIT and not bad
    print(f"{kind.__name__:42} {error:9.2e}  weights {'the same' if not bad else bad[:3]}{'' if good else '  FAILED'}",
          flush=True)
    return good


def main():
    vit, wanted = sys.argv[1], sys.argv[2:]
    print(f"timm {timm.__version__}, transformers {transformers.__version__}, torch {torch.__version__}")
    results = []
    for name in wanted or all_names():
        rng = np.random.default_rng(7)
        with tempfile.TemporaryDirectory() as folder:
            work = pathlib.Path(folder)
            if not make_model(vit, name, work / "model.h5", rng):
                continue
            with h5py.File(work / "model.h5") as f:
                size = json.loads(f["config"][0])["image_size"]
            pixels = pictures(size, work / "pictures", rng)
            ours = our_logits(vit, work / "model.h5", work / "pictures")
            for schema, open_folder in (("timm", of_timm), ("hf", of_hf)):
                results.append(compare(vit, name, schema, open_folder, work / "model.h5", work, pixels, ours))
    for kind, config in [] if wanted else OTHERS:
        with tempfile.TemporaryDirectory() as folder:
            results.append(compare_other(vit, kind, config, pathlib.Path(folder)))
    good, bad = results.count(True), results.count(False)
    print(f"{good} passed, {bad} failed, {results.count(None)} refused")
    sys.exit(1 if bad or not good else 0)


main()
