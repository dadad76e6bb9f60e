#!/usr/bin/env python3
"""Writes random_resized_crop_golden.json: what torchvision's RandomResizedCrop does with Pillow's pictures.

Usage: make_random_resized_crop_goldens.py OUT.json     (needs pillow >= 13, torch, torchvision, numpy)
"""
import json
import math
import sys

import PIL
import torch
import torchvision
from make_pillow_goldens import FILTERS, fnv, noise
from PIL import Image
from torchvision.transforms import RandomResizedCrop
from torchvision.transforms import functional as F

SCALE, RATIO = (0.08, 1.0), (3 / 4, 4 / 3)


def crop_cases():
    """Given parts: left, top, width, height."""
    cases = [((64, 48), (10, 7, 30, 40), 24), ((64, 48), (0, 0, 64, 48), 32), ((48, 64), (47, 63, 1, 1), 8),
             ((75, 50), (3, 11, 20, 15), 32), ((33, 47), (5, 5, 28, 28), 28), ((33, 47), (0, 17, 33, 30), 33)]
    for size, (left, top, width, height), side in cases:
        for name, code in FILTERS.items():
            image = F.resized_crop(Image.fromarray(noise(*size)), top, left, height, width, [side, side], code)
            yield {"from": size, "part": [left, top, width, height], "size": side, "interpolation": name,
                   "fnv": fnv(image.tobytes())}


def middle_cases():
    """Pictures so long that no try fits."""
    for size in [(100, 10), (10, 100), (300, 7), (1, 50), (57, 19)]:
        top, left, height, width = RandomResizedCrop.get_params(Image.new("RGB", size), (1.0, 1.0), RATIO)
        yield {"from": size, "part": [left, top, width, height]}


def mean_cases():
    torch.manual_seed(1)
    draws = 40_000
    for size in [(640, 480), (96, 200)]:
        image = Image.new("RGB", size)
        parts = [RandomResizedCrop.get_params(image, SCALE, RATIO) for _ in range(draws)]
        yield {"from": size, "draws": draws,
               "area": sum(h * w for _, _, h, w in parts) / draws / size[0] / size[1],
               "area_squared": sum((h * w / size[0] / size[1]) ** 2 for _, _, h, w in parts) / draws,
               "log_shape": sum(math.log(w / h) for _, _, h, w in parts) / draws,
               "left": sum(j + w / 2 for _, j, _, w in parts) / draws / size[0],
               "top": sum(i + h / 2 for i, _, h, _ in parts) / draws / size[1]}


def main():
    golden = {
        "versions": {"pillow": PIL.__version__, "torch": torch.__version__, "torchvision": torchvision.__version__},
        "parts": list(crop_cases()),
        "middle": list(middle_cases()),
        "means": list(mean_cases()),
    }
    with open(sys.argv[1], "w") as out:
        sections = [f"{json.dumps(k)}: " + (("[\n" + ",\n".join(map(json.dumps, v)) + "\n]") if isinstance(v, list) else json.dumps(v))
                    for k, v in golden.items()]
        out.write("{\n" + ",\n".join(sections) + "\n}\n")


if __name__ == "__main__":
    main()
