#!/usr/bin/env python3
"""Writes pillow_golden.json: what Pillow, torchvision and torch make of deterministic pictures.

Usage: make_pillow_goldens.py OUT.json     (needs pillow >= 13, torch, torchvision, numpy)
"""
import io
import json
import sys

import numpy as np
import PIL
import torch
import torchvision
from PIL import Image
from torchvision.transforms import functional as F

FILTERS = {"bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC, "area": Image.BOX}


def noise(width, height):
    """The picture that noise_image in golden_test.cpp makes."""
    i = np.arange(width * height * 3, dtype=np.uint64)
    values = (i * 2654435761 + 12345) % 2**32
    values = (values ^ (values >> 15)) * 2246822519 % 2**32
    return (values >> 24).astype(np.uint8).reshape(height, width, 3)


def smooth(width, height):
    """A picture without sharp edges, for lossy formats."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [128 + 100 * np.sin(x / 5 + y / 9), 128 + 90 * np.cos(x / 7), 40 + 4 * x + 6 * y]
    return np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)


def fnv(data):
    h = 0xCBF29CE484222325
    for byte in data:
        h = (h ^ byte) * 0x100000001B3 % 2**64
    return f"{h:016x}"


def resize_cases():
    sizes = [
        (64, 48, 24, 24), (48, 64, 24, 24), (24, 24, 61, 37), (7, 5, 20, 31), (100, 3, 10, 3), (3, 100, 3, 10),
        (1, 1, 5, 4), (50, 200, 40, 20), (50, 60, 45, 50), (33, 47, 33, 47), (255, 31, 16, 16), (2, 90, 41, 49),
        (17, 19, 1, 1), (30, 30, 15, 60),
    ]
    for w, h, ow, oh in sizes:
        for name, code in FILTERS.items():
            image = Image.fromarray(noise(w, h)).resize((ow, oh), code)
            yield {"from": [w, h], "to": [ow, oh], "interpolation": name, "fnv": fnv(image.tobytes())}


def crop_cases():
    sizes = [(64, 48, 32, 32), (48, 64, 32, 28), (50, 75, 25, 24), (75, 50, 25, 20), (46, 165, 29, 25), (40, 40, 40, 33),
             (19, 90, 48, 40), (33, 32, 32, 31), (61, 200, 30, 17)]
    for w, h, resize_size, size in sizes:
        for name, code in FILTERS.items():
            image = F.center_crop(F.resize(Image.fromarray(noise(w, h)), resize_size, code), size)
            yield {"from": [w, h], "resize_size": resize_size, "size": size, "interpolation": name,
                   "fnv": fnv(image.tobytes())}


def matrix_cases():
    for w, h, angle, shift, scale, shear in [(28, 28, 0, (0, 0), 1, 0), (32, 32, 30, (0, 0), 1, 0), (28, 20, 0, (3, -2), 1, 0),
                                             (32, 32, 0, (0, 0), 1.25, 0), (32, 24, 0, (0, 0), 1, 15),
                                             (31, 45, -17.5, (2.25, -1.5), 0.85, -11)]:
        centre = [(w - 1) / 2, (h - 1) / 2]
        matrix = F._get_inverse_affine_matrix(centre, angle, list(shift), scale, [shear, 0.0])
        yield {"size": [w, h], "degrees": angle, "shift": shift, "scale": scale, "shear": shear, "matrix": matrix}


def patch_cases():
    for size, patch, mean, std in [(8, 4, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)), (16, 16, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
                                   (32, 4, (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))]:
        tensor = F.normalize(F.to_tensor(Image.fromarray(noise(size, size))), mean, std)
        rows = torch.nn.functional.unfold(tensor[None], patch, stride=patch)[0].T.contiguous()
        yield {"size": size, "patch": patch, "mean": mean, "std": std, "fnv": fnv(rows.numpy().astype("<f4").tobytes())}


def encoded_cases(pictures):
    """Fills pictures with the pixels that the cases name."""
    rgb = Image.fromarray(smooth(13, 9))
    gray = rgb.convert("L")
    alpha = Image.fromarray(np.dstack([smooth(13, 9), noise(13, 9)[..., 0]]))
    palette = rgb.quantize(12)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees, which is to be ignored
    cases = [
        ("rgb.png", rgb, 0, {}), ("gray.png", gray, 0, {}), ("bilevel.png", gray.convert("1"), 0, {}),
        ("alpha.png", alpha, 0, {}), ("gray_alpha.png", alpha.convert("LA"), 0, {}), ("palette.png", palette, 0, {}),
        ("palette_transparent.png", palette, 0, {"transparency": bytes(range(0, 240, 20))}),
        ("palette_2_bits.png", rgb.quantize(4), 0, {"bits": 2}),
        ("rgb.jpg", rgb, 1, {"quality": 90}), ("subsampled.jpg", rgb, 1, {"quality": 80, "subsampling": 2}),
        ("progressive.jpg", rgb, 1, {"progressive": True}), ("gray.jpg", gray, 1, {}),
        ("cmyk.jpg", rgb.convert("CMYK"), 1, {"quality": 95}), ("turned.jpg", rgb, 1, {"exif": exif}),
        ("rgb.bmp", rgb, 0, {}), ("bilevel.bmp", gray.convert("1"), 0, {}), ("rgb.tif", rgb, 0, {}),
        ("lzw.tif", rgb, 0, {"compression": "tiff_lzw"}), ("alpha.tif", alpha, 0, {}),
        ("lossless.webp", rgb, 0, {"lossless": True}), ("alpha.webp", alpha, 0, {"lossless": True, "exact": True}),
        ("rgb.ppm", rgb, 0, {}), ("gray.pgm", gray, 0, {}), ("bilevel.pbm", gray.convert("1"), 0, {}),
    ]
    for name, image, tolerance, options in cases:
        out = io.BytesIO()
        image.save(out, {"jpg": "jpeg", "tif": "tiff", "pgm": "ppm", "pbm": "ppm"}.get(name[-3:], name.split(".")[1]), **options)
        decoded = Image.open(io.BytesIO(out.getvalue())).convert("RGB")
        assert tolerance > 0 or decoded.tobytes() == image.convert("RGB").tobytes(), name
        same = [key for key, pixels in pictures.items() if pixels == decoded.tobytes().hex()]
        key = same[0] if same else name
        pictures[key] = decoded.tobytes().hex()
        yield {"name": name, "size": decoded.size, "tolerance": tolerance, "pixels": key, "file": out.getvalue().hex()}


def main():
    pictures = {}
    golden = {
        "versions": {"pillow": PIL.__version__, "torch": torch.__version__, "torchvision": torchvision.__version__},
        "resize": list(resize_cases()),
        "resize_crop": list(crop_cases()),
        "inverse_matrix": list(matrix_cases()),
        "patchify": list(patch_cases()),
        "decode": list(encoded_cases(pictures)),
        "pictures": pictures,
    }
    with open(sys.argv[1], "w") as out:
        sections = [f"{json.dumps(k)}: " + (("[\n" + ",\n".join(map(json.dumps, v)) + "\n]") if isinstance(v, list) else json.dumps(v))
                    for k, v in golden.items()]
        out.write("{\n" + ",\n".join(sections) + "\n}\n")


if __name__ == "__main__":
    main()
