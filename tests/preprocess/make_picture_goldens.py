#!/usr/bin/env python3
"""Writes picture_golden.json: a small file of each kind of picture_variants.py and the hash of its right pixels.

Usage: make_picture_goldens.py OUT.json     (needs pillow >= 13, numpy, opencv-python-headless, tifffile, imagecodecs)
"""
import base64
import io
import json
import sys

import numpy as np
import PIL
from PIL import Image, ImageOps

import picture_variants
from compare_pictures import fnv, pillow

LARGE = {"long_profile"}


def golden(name, file, pixels):
    entry = {"name": name, "file": base64.b64encode(file).decode()}
    if pixels is not None:
        entry |= {"size": [pixels.shape[1], pixels.shape[0]], "fnv": fnv(pixels.tobytes())}
    return json.dumps(entry)


def variants():
    picture_variants.most = 11
    for kind, makers in picture_variants.variants().items():
        for name, make in makers:
            if name in LARGE:
                continue
            file, wanted = make(np.random.default_rng([1, *kind.encode(), *name.encode()]))
            if isinstance(wanted, str):
                wanted = pillow(file) if wanted == picture_variants.PILLOW else None
            assert not isinstance(wanted, str), (name, wanted)
            yield golden(f"{name}.{kind}", file, wanted)


def oriented():
    """Pixels after exif_transpose."""
    rng = np.random.default_rng(2)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        image = Image.fromarray(rng.integers(0, 256, (5, 7, 3), dtype=np.uint8))
        for form, options in (("jpeg", {"quality": 95}), ("png", {}), ("webp", {"lossless": True})):
            out = io.BytesIO()
            image.save(out, form, exif=exif, **options)
            turned = ImageOps.exif_transpose(Image.open(io.BytesIO(out.getvalue())))
            yield golden(f"orientation_{orientation}.{form}", out.getvalue(), np.asarray(turned.convert("RGB")))


def main():
    sections = {"pictures": list(variants()), "exif": list(oriented())}
    with open(sys.argv[1], "w") as out:
        out.write("{\n" + json.dumps("pillow") + ": " + json.dumps(PIL.__version__))
        for name, entries in sections.items():
            out.write(f",\n{json.dumps(name)}: [\n" + ",\n".join(entries) + "\n]")
        out.write("\n}\n")


if __name__ == "__main__":
    main()
