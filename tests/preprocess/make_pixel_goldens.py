#!/usr/bin/env python3
"""Writes pixel_golden.json: Pillow's six filters, and what timm, torchvision, transformers and open_clip make of
deterministic pictures, with the files that say so.

Usage: make_pixel_goldens.py OUT.json     (needs pillow >= 13, torch, torchvision, timm, transformers, open_clip, numpy)
"""
import io
import json
import sys

import numpy as np
import open_clip.transform
import PIL
import timm.data
import torchvision
import transformers
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms._presets import ImageClassification

from make_pillow_goldens import fnv, noise

FILTERS = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}
IN = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


def picture(width, height):
    return Image.fromarray(noise(width, height))


def resize_cases():
    sizes = [(1, 1, 5, 4), (1, 9, 4, 4), (9, 1, 4, 4), (1, 64, 7, 3), (64, 1, 3, 7), (2, 3, 16, 16), (31, 17, 31, 5),
             (31, 17, 6, 17), (40, 30, 11, 11), (17, 40, 33, 12), (100, 7, 9, 20), (61, 59, 60, 58), (255, 3, 2, 2)]
    for w, h, ow, oh in sizes:
        for name, code in FILTERS.items():
            yield {"from": [w, h], "to": [ow, oh], "interpolation": name,
                   "fnv": fnv(picture(w, h).resize((ow, oh), code).tobytes())}


def timm_tensor(cfg, image):
    config = timm.data.resolve_data_config(pretrained_cfg=cfg)
    return timm.data.create_transform(**config, is_training=False)(image).numpy()


def timm_cases():
    base = {"input_size": [3, 12, 12], "interpolation": "bicubic", "crop_pct": 0.9, **IN}
    variants = [{}, {"crop_pct": None}, {"crop_pct": 1.0, "interpolation": "bilinear"}, {"crop_mode": "squash"},
                {"crop_mode": "squash", "crop_pct": 1.0}, {"crop_mode": "border", "crop_pct": 1.0},
                {"crop_mode": "border", "crop_pct": 0.8}, {"crop_pct": 1.3}, {"interpolation": "lanczos", "crop_pct": 0.95},
                {"mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0]}]
    for i, change in enumerate(variants):
        cfg = {**base, **change}
        size = [(40, 29), (23, 50), (7, 30), (9, 8)][i % 4]
        yield "timm", {"architecture": "vit", "pretrained_cfg": cfg}, size, timm_tensor(cfg, picture(*size))


def transformers_cases():
    files = [
        {"image_processor_type": "ViTImageProcessor", "size": {"height": 12, "width": 12}, "resample": 2,
         "image_mean": [0.5] * 3, "image_std": [0.5] * 3},
        {"feature_extractor_type": "ViTFeatureExtractor", "size": 11, "resample": 3},
        {"image_processor_type": "DeiTImageProcessorFast", "size": 15, "crop_size": 12, "image_mean": IN["mean"],
         "image_std": IN["std"]},
        {"image_processor_type": "DeiTImageProcessor", "size": {"height": 9, "width": 9},
         "crop_size": {"height": 12, "width": 12}},
        {"image_processor_type": "BitImageProcessor", "size": {"shortest_edge": 16}, "crop_size": {"height": 13, "width": 13},
         "resample": 3, "image_mean": IN["mean"], "image_std": IN["std"]},
        {"image_processor_type": "CLIPImageProcessor", "size": 12, "crop_size": 12},
        {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 8}, "crop_size": {"height": 13, "width": 13}},
        {"image_processor_type": "SiglipImageProcessor", "size": {"height": 12, "width": 12}, "resample": 1},
        {"image_processor_type": "ViTImageProcessor", "size": {"height": 12, "width": 12}, "resample": 5,
         "do_normalize": False},
        {"image_processor_type": "ViTImageProcessor", "size": {"height": 12, "width": 12}, "resample": 4,
         "rescale_factor": 1 / 127.5, "image_mean": [1.0] * 3, "image_std": [1.0] * 3},
        {"image_processor_type": "DINOv3ViTImageProcessor", "size": {"height": 12, "width": 12}},
        {"image_processor_type": "DINOv3ViTImageProcessor", "size": {"height": 20, "width": 20}, "resample": 3},
    ]
    for i, file in enumerate(files):
        size = [(40, 29), (23, 50), (8, 31), (33, 9)][i % 4]
        name = file.get("image_processor_type", "ViTImageProcessor").removesuffix("Fast")
        exact = name if name.startswith("DINOv3") else name + "Pil"
        kwargs = {k: v for k, v in file.items() if not k.endswith("_type")}
        processor = getattr(transformers, exact)(**kwargs)
        values = processor(picture(*size), return_tensors="np")["pixel_values"][0]
        yield "transformers", file if i % 2 else {"image_processor": file}, size, values


def open_clip_cases():
    for i, change in enumerate([{}, {"resize_mode": "longest", "fill_color": 7}, {"resize_mode": "squash"},
                                {"interpolation": "bilinear", "mean": 0.5, "std": [0.5] * 3}]):
        size = [(40, 29), (23, 50), (31, 8), (9, 33)][i]
        preprocess = open_clip.transform.image_transform_v2(open_clip.transform.PreprocessCfg(size=13, **change), False)
        file = {"model_cfg": {"embed_dim": 4, "vision_cfg": {"image_size": 13}}, "preprocess_cfg": change}
        yield "open_clip", file, size, preprocess(picture(*size)).numpy()


def rule_cases():
    sizes = {"torchvision-vit-b16": (28, 32), "torchvision-vit-l16": (32, 35), "torchvision-swag": (12, 12)}
    for name, (crop, resize) in sizes.items():
        mode = InterpolationMode.BICUBIC if "swag" in name else InterpolationMode.BILINEAR
        transform = ImageClassification(crop_size=crop, resize_size=resize, interpolation=mode)
        yield {"rule": name, "side": crop, "from": [50, 41], "values": hexed(transform(picture(50, 41)).numpy())}


def hexed(values):
    return np.ascontiguousarray(values, dtype="<f4").tobytes().hex()


def decode_cases():
    gray = np.array([[0, 1, 254, 255, 256, 257], [300, 511, 4095, 32768, 65280, 65535]], dtype=np.uint16)
    png, tiff = io.BytesIO(), io.BytesIO()
    Image.fromarray(gray).save(png, "PNG")
    Image.fromarray(gray).save(tiff, "TIFF", tiffinfo={274: 6})
    head = b" 6 2 4095\n"
    low = gray // 16
    files = {"gray16.png": png.getvalue(), "turned16.tif": tiff.getvalue(),
             "gray12.pgm": b"P5" + head + low.astype(">u2").tobytes(),
             "text12.pgm": b"P2" + head + " ".join(map(str, low.flat)).encode()}
    for name, data in files.items():
        image = Image.open(io.BytesIO(data)).convert("RGB")
        yield {"name": name, "size": image.size, "file": data.hex(), "pillow": image.tobytes().hex()}


def main():
    files = [{"source": source, "file": file, "from": size, "shape": values.shape, "values": hexed(values)}
             for cases in (timm_cases(), transformers_cases(), open_clip_cases()) for source, file, size, values in cases]
    golden = {"versions": {m.__name__: m.__version__ for m in (PIL, torchvision, timm, transformers, open_clip)},
              "resize": list(resize_cases()), "files": files, "rules": list(rule_cases()), "decode": list(decode_cases())}
    with open(sys.argv[1], "w") as out:
        parts = [f"{json.dumps(k)}: " + (("[\n" + ",\n".join(map(json.dumps, v)) + "\n]") if isinstance(v, list) else json.dumps(v))
                 for k, v in golden.items()]
        out.write("{\n" + ",\n".join(parts) + "\n}\n")


if __name__ == "__main__":
    main()
