#!/usr/bin/env python3
"""Compares pixels with Pillow, timm, torchvision, transformers and open_clip on made pictures: six filters byte by byte,
and what goes into a model to 1e-6.

Usage: check_pixels.py PIXEL_DUMP [COUNT] [SEED]     (build/release/bin/pixel_dump; 500 pictures, seed 0)
Needs pillow >= 13, torch, torchvision, timm, transformers, open_clip, numpy. Fails when anything differs.
"""
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import open_clip.transform
import PIL
import timm.data
import torch
import torchvision
import transformers
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms._presets import ImageClassification

FILTERS = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}
IN = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
HALF = {"mean": [0.5] * 3, "std": [0.5] * 3}
LIMIT = 1e-6


class Dump:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, **line):
        self.process.stdin.write(json.dumps(line).encode() + b"\n")
        self.process.stdin.flush()
        head = self.process.stdout.readline().decode()
        if not head.startswith("ok "):
            raise RuntimeError(head.strip() or "the program ended")
        return self.process.stdout.read(int(head[3:]))


def sides(rng, i):
    kinds = [lambda: (1, 1), lambda: (1, int(rng.integers(2, 400))), lambda: (int(rng.integers(2, 400)), 1),
             lambda: tuple(int(2 * v + 1) for v in rng.integers(5, 300, 2)), lambda: tuple(map(int, rng.integers(225, 900, 2))),
             lambda: tuple(map(int, rng.integers(2, 224, 2))), lambda: (500, 375), lambda: (375, 500),
             lambda: (int(rng.integers(2, 12)), int(rng.integers(300, 900))), lambda: (224, 224), lambda: (256, int(rng.integers(200, 300)))]
    return kinds[i % len(kinds)]()


def content(rng, width, height, channels):
    y, x = np.mgrid[0:height, 0:width]
    wave = [120 + 90 * np.sin(x * rng.uniform(0, .5) + y * rng.uniform(0, .5) + rng.uniform(0, 6)) for _ in range(channels)]
    noise = rng.normal(0, rng.choice([0, 4, 60]), (height, width, channels))
    edges = 80 * ((x // 9 + y // 7) % 2)[..., None] * rng.integers(0, 2)
    return np.clip(np.stack(wave, -1) + noise + edges, 0, 255).astype(np.uint8)


def save(rng, i, folder):
    """A picture file; its kind of container and colour go round at another pace than its sides."""
    width, height = sides(rng, i)
    kind = ["png_rgb", "jpg_rgb", "png_gray", "jpg_gray", "png_palette", "png_alpha", "jpg_cmyk", "png_gray_alpha",
            "jpg_444", "png_1", "png_palette_alpha", "jpg_exif", "png_gray16"][(i // 11 + i) % 13]
    pixels = content(rng, width, height, 4)
    rgb = Image.fromarray(np.ascontiguousarray(pixels[..., :3]))
    path = folder / f"{i}_{kind}_{width}x{height}.{kind[:3]}"
    options = {}
    if kind == "png_gray16":
        image = Image.fromarray(pixels[..., 0].astype(np.uint16) * int(rng.integers(1, 257)))
    elif kind == "jpg_cmyk":
        image = Image.fromarray(pixels, "CMYK") if rng.integers(2) else rgb.convert("CMYK")
    elif kind == "jpg_exif":
        image, options = rgb, {"exif": Image.Exif()}
        options["exif"][0x0112] = int(rng.integers(1, 9))
    elif kind == "png_alpha":
        image = Image.fromarray(pixels)
    elif kind == "png_gray_alpha":
        image = Image.fromarray(pixels).convert("LA")
    elif "palette" in kind:
        image = rgb.quantize(int(rng.integers(2, 257)))
        options = {"transparency": bytes(rng.integers(0, 256, 9, dtype=np.uint8))} if "alpha" in kind else {}
    else:
        image = rgb.convert({"png_gray": "L", "jpg_gray": "L", "png_1": "1"}.get(kind, "RGB"))
    if kind == "jpg_444":
        options = {"subsampling": 0}
    if kind.startswith("jpg"):
        options |= {"quality": int(rng.integers(30, 100)), "progressive": bool(rng.integers(2))}
    image.save(path, **options)
    return kind, path


def timm_rule(**change):
    cfg = {"input_size": [3, 224, 224], "interpolation": "bicubic", "crop_pct": 0.9, **HALF, **change}
    transform = timm.data.create_transform(**timm.data.resolve_data_config(pretrained_cfg=cfg), is_training=False)
    return {"file": {"architecture": "vit", "pretrained_cfg": cfg}}, lambda image: transform(image).numpy()


def torchvision_rule(name, crop, resize, mode):
    transform = ImageClassification(crop_size=crop, resize_size=resize, interpolation=mode)
    return {"rule": name, "side": crop}, lambda image: transform(image).numpy()


def transformers_rule(name, **file):
    processor = getattr(transformers, name if name.startswith("DINOv3") else name + "Pil")(**file)
    return ({"file": {"image_processor_type": name, **file}},
            lambda image: processor(image, return_tensors="np")["pixel_values"][0])


def open_clip_rule(**change):
    transform = open_clip.transform.image_transform_v2(open_clip.transform.PreprocessCfg(**change), False)
    return {"file": {"preprocess_cfg": change}}, lambda image: transform(image).numpy()


def rules():
    linear, cubic = InterpolationMode.BILINEAR, InterpolationMode.BICUBIC
    square, stats = {"height": 224, "width": 224}, {"image_mean": IN["mean"], "image_std": IN["std"]}
    return {
        "timm centre .9": timm_rule(),
        "timm centre .875 bilinear 0/1": timm_rule(crop_pct=None, interpolation="bilinear", mean=[0., 0., 0.], std=[1., 1., 1.]),
        "timm squash .95 lanczos": timm_rule(crop_mode="squash", crop_pct=0.95, interpolation="lanczos", **IN),
        "timm border 1 hamming": timm_rule(crop_mode="border", crop_pct=1.0, interpolation="hamming", **IN),
        "timm border .8": timm_rule(crop_mode="border", crop_pct=0.8),
        "timm centre 1.2 nearest": timm_rule(crop_pct=1.2, interpolation="nearest"),
        "torchvision ViT_B_16": torchvision_rule("torchvision-vit-b16", 224, 256, linear),
        "torchvision ViT_L_16": torchvision_rule("torchvision-vit-l16", 224, 242, linear),
        "torchvision SWAG 384": torchvision_rule("torchvision-swag", 384, 384, cubic),
        "ViTImageProcessorPil": transformers_rule("ViTImageProcessor", size=square),
        "DeiTImageProcessorPil": transformers_rule("DeiTImageProcessor", **stats),
        "BitImageProcessorPil (DINOv2)": transformers_rule("BitImageProcessor", size={"shortest_edge": 256}, **stats),
        "CLIPImageProcessorPil": transformers_rule("CLIPImageProcessor"),
        "CLIPImageProcessorPil, crop larger": transformers_rule("CLIPImageProcessor", size={"shortest_edge": 201}),
        "SiglipImageProcessorPil": transformers_rule("SiglipImageProcessor"),
        "DINOv3ViTImageProcessor": transformers_rule("DINOv3ViTImageProcessor"),
        "DINOv3ViTImageProcessor bicubic": transformers_rule("DINOv3ViTImageProcessor", resample=3),
        "open_clip shortest": open_clip_rule(),
        "open_clip longest": open_clip_rule(resize_mode="longest", fill_color=9),
        "open_clip squash": open_clip_rule(resize_mode="squash", interpolation="bilinear"),
    }


def vanishes(image, name):
    """timm and open_clip cannot resize to a side of 0, which here stays a pixel."""
    return ("border" in name or "longest" in name) and max(image.size) > 400 * min(image.size)


def main():
    torch.set_num_threads(1)
    dump = Dump(sys.argv[1])
    count, seed = (int(a) for a in (sys.argv[2:] + ["500", "0"][len(sys.argv) - 2:])[:2])
    print("pillow", PIL.__version__, "torchvision", torchvision.__version__, "timm", timm.__version__, "transformers",
          transformers.__version__, "open_clip", open_clip.__version__)
    table, kinds, resized, different = rules(), Counter(), Counter(), []
    worst = dict.fromkeys(table, 0.0)
    compared = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for i in range(count):
            rng = np.random.default_rng([seed, i])
            kind, path = save(rng, i, Path(folder))
            kinds[kind] += 1
            image = Image.open(path).convert("RGB")
            targets = [(224, 224), tuple(map(int, rng.integers(1, 400, 2))), (image.width, int(rng.integers(1, 99)))]
            for name, code in FILTERS.items():
                for target in targets:
                    ours = dump.ask(path=str(path), resize=target, filter=name)
                    resized[name] += 1
                    if ours != image.resize(target, code).tobytes():
                        different.append(f"{path.name} to {target} {name}")
            for name, (line, transform) in table.items():
                try:
                    wanted = transform(image)
                except ValueError as error:
                    if not vanishes(image, name):
                        raise
                    compared[name + ", refused there"] += 1
                    dump.ask(path=str(path), **line)
                    continue
                ours = np.frombuffer(dump.ask(path=str(path), **line), dtype="<f4").reshape(wanted.shape)
                error = float(np.abs(ours.astype(np.float64) - wanted).max())
                compared[name] += 1
                worst[name] = max(worst[name], error)
                if not error <= LIMIT:
                    different.append(f"{path.name} {name}: {error:.3g}")
            path.unlink()
    print("pictures:", count, dict(sorted(kinds.items())))
    print("resized and byte-equal to Pillow (of all):",
          {n: f"{resized[n] - sum(d.endswith(' ' + n) for d in different)} of {resized[n]}" for n in FILTERS})
    for name in compared:
        print(f"{name}: {compared[name]} pictures" + (f", largest difference {worst[name]:.3g}" if name in worst else ""))
    print(f"{len(different)} differ", *different[:20], sep="\n")
    return bool(different)


if __name__ == "__main__":
    sys.exit(main())
