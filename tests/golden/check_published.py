"""Models of published sizes with random weights: python check_published.py VIT FOLDER [NAME...]

Each is written as published, imported with `vit model import`, and the logits of `vit classify` are compared with those
of timm or torchvision from picture files on, in fp32 against double; numbers of parameters, time and memory of the
import are told. Not for CI: gigabytes and minutes. Without names: those of the list below.
Needs what make_timm_goldens.py needs.
"""
import argparse
import json
import os
import shutil
import subprocess
import time
import zlib
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from timm.data import create_transform, resolve_model_data_config
from timm.models import save_for_hf
from torchvision.models import get_model

from make_hub_goldens import LARGE_PICTURES, make_pictures
from make_timm_goldens import draw, outputs

NAMES = ["vit_tiny_patch16_224", "vit_small_patch16_224", "vit_base_patch16_224", "vit_base_patch32_224",
         "deit_small_distilled_patch16_224", "deit3_small_patch16_224", "vit_wee_patch16_reg1_gap_256",
         "vit_little_patch16_reg4_gap_256", "vit_so150m2_patch16_reg1_gap_256", "vit_base_patch16_siglip_224",
         "vit_base_patch32_clip_224", "vit_small_patch14_reg4_dinov2", "vit_small_patch16_dinov3",
         "eva02_tiny_patch14_336", "vit_small_patch16_rope_mixed_224", "vit_pe_core_tiny_patch16_384",
         "vit_large_patch16_224", "torchvision:vit_b_16", "torchvision:vit_l_16"]
# Of the papers and packages, with 1000 classes.
KNOWN = {"vit_tiny_patch16_224": 5717416, "vit_small_patch16_224": 22050664, "vit_base_patch16_224": 86567656,
         "vit_base_patch32_224": 88224232, "vit_large_patch16_224": 304326632, "torchvision:vit_b_16": 86567656,
         "torchvision:vit_l_16": 304326632}


def publish(name, folder):
    torch.manual_seed(zlib.crc32(name.encode()))
    if name.startswith("torchvision:"):
        model = draw(get_model(name.split(":")[1]), zlib.crc32(name.encode()))
        folder.mkdir(parents=True)
        save_file({k: v.contiguous() for k, v in model.state_dict().items()}, folder / "model.safetensors")
        cfg = dict(input_size=(3, 224, 224), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), crop_pct=0.875,
                   interpolation="bilinear")
        transform = create_transform(**timm.data.resolve_data_config(pretrained_cfg=cfg), is_training=False)
        return model, transform, ["--preprocess", "torchvision-vit-b16"]
    model = timm.create_model(name)
    if model.num_classes == 0:
        model = timm.create_model(name, num_classes=10)
    draw(model, zlib.crc32(name.encode()))
    save_for_hf(model, folder, model_args={}, safe_serialization=True)
    return model, create_transform(**resolve_model_data_config(model), is_training=False), []


def check(vit, name, root):
    folder, out = root / name.replace(":", "_"), root / "model.h5"
    shutil.rmtree(folder, ignore_errors=True)
    model, transform, options = publish(name, folder)
    size = (folder / "model.safetensors").stat().st_size
    run = [vit, "model", "import", str(folder), str(out), "--force", *options]
    start = time.monotonic()
    report = subprocess.run(["/usr/bin/time", "-f", "%M %U %S", *run], text=True, capture_output=True)
    seconds = time.monotonic() - start
    if report.returncode:
        return f"FAILED {report.stderr.strip()}"
    memory, user, system = report.stderr.split()[-3:]
    parameters = int(next(l for l in report.stdout.splitlines() if l.startswith("parameters")).split()[1])
    want_parameters = sum(p.numel() for p in model.parameters())
    if parameters != want_parameters or KNOWN.get(name, parameters) != parameters:
        return f"FAILED {parameters} parameters, not {want_parameters} ({KNOWN.get(name)})"
    pictures = sorted((root / "pictures").iterdir())
    lines = subprocess.run([vit, "classify", str(out), *map(str, pictures), "--logits", "--format", "jsonl"], text=True,
                           capture_output=True, check=True).stdout.splitlines()
    model.double()
    worst, ordered = 0, True
    for picture, line in zip(pictures, lines, strict=True):
        got = np.array(json.loads(line)["logits"])
        want = outputs(model, transform, Image.open(picture).convert("RGB")).numpy()
        worst = max(worst, abs(got - want).max())
        ordered &= bool((np.argsort(-got, kind="stable")[:5] == np.argsort(-want, kind="stable")[:5]).all())
    shutil.rmtree(folder)
    verdict = "ok    " if worst < 1e-4 and ordered else "FAILED"
    return (f"{verdict} logits up to {abs(want).max():.2f}, off by {worst:.1e}, first five "
            f"{'equal' if ordered else 'DIFFER'}; {parameters} parameters; import {seconds:.2f} s "
            f"({user} + {system} of the processor), {int(memory) * 1024 / size:.2f} of the file in memory")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vit")
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    torch.set_num_threads(2)
    make_pictures(args.folder / "pictures", LARGE_PICTURES)
    failed = 0
    for name in args.names or NAMES:
        verdict = check(args.vit, name, args.folder)
        failed += verdict.startswith("FAILED")
        print(f"{name:36} {verdict}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
