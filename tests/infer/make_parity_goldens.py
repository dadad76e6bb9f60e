"""A small model of timm and its dump: python make_parity_goldens.py OUT_FOLDER

parity_model.h5 is the model in our format, parity_dump.h5 what tools/parity_dump.py writes of it for two pictures. Weights
are multiples of 1/64, so that the files are small. The dump records versions and seed. Needs torch, timm, h5py, Pillow.
"""
import importlib.util
import json
import os
import sys
import tempfile

import h5py
import numpy as np
import timm
import torch
from PIL import Image

SEED = 20261125
HERE = os.path.dirname(os.path.abspath(__file__))
SIDE, PATCH, WIDTH, DEPTH, HEADS, CLASSES = 32, 8, 32, 2, 2, 5
# Both leave an even number of pixels beside the square, where no rule of rounding has a say.
PICTURES = {"wide.png": (37, 29), "tall.png": (41, 52)}

spec = importlib.util.spec_from_file_location("parity_dump", os.path.join(HERE, "..", "..", "tools", "parity_dump.py"))
parity_dump = importlib.util.module_from_spec(spec)
spec.loader.exec_module(parity_dump)


def make_model():
    model = timm.create_model("vit_tiny_patch16_224", img_size=SIDE, patch_size=PATCH, embed_dim=WIDTH, depth=DEPTH,
                              num_heads=HEADS, num_classes=CLASSES)
    generator = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for name, p in model.named_parameters():
            base = 1.0 if "norm" in name and name.endswith("weight") else 0.0
            drawn = base + torch.randn(p.shape, generator=generator) * (0.3 if p.dim() > 1 else 0.1)
            p.copy_(torch.round(drawn * 64) / 64)
    return model


def make_pictures(folder):
    """Waves of colour with a little noise: what a resize has something to do with"""
    rng = np.random.default_rng(SEED)
    files = []
    for name, (width, height) in PICTURES.items():
        y, x = np.mgrid[0:height, 0:width]
        waves = [np.sin(x / a) + np.cos(y / b) for a, b in ((3.0, 5.0), (6.0, 2.5), (2.0, 9.0))]
        pixels = 128 + 50 * np.stack(waves, -1) + rng.normal(0, 8, (height, width, 3))
        file = os.path.join(folder, name)
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(file)
        files.append(file)
    return files


def text(value, length=None):
    data = value.encode()
    return np.array([data], dtype=h5py.string_dtype("utf-8", length or max(1, len(data))))


def write_model(model, path):
    config = dict(name="parity", image_size=SIDE, patch_size=PATCH, channels=3, width=WIDTH, depth=DEPTH, heads=HEADS,
                  mlp_width=4 * WIDTH, classes=CLASSES, eps=1e-6, activation="gelu", pooling="token", position="learned",
                  class_token=True, qkv_bias=True, layer_scale=False, layer_scale_init=1e-5)
    preprocess = dict(size=SIDE, rule="shorter_side", resize_size=SIDE, interpolation="bicubic", mean=[0.5] * 3,
                      std=[0.5] * 3)
    with h5py.File(path, "w", libver="latest") as out:
        out.attrs["format"], out.attrs["version"] = np.bytes_("vit-model"), np.bytes_("1")
        out["config"], out["preprocess"] = text(json.dumps(config)), text(json.dumps(preprocess))
        out["training"], out["origin"] = text("null"), text(json.dumps(dict(source="make_parity_goldens.py")))
        out["class_names"] = np.array([f"class {i}".encode() for i in range(CLASSES)], h5py.string_dtype("utf-8", 8))
        for name, p in model.named_parameters():
            out.create_dataset(f"weights/{name}", data=p.detach().numpy(), compression="gzip", shuffle=True)


def main(folder):
    model = make_model()
    write_model(model, os.path.join(folder, "parity_model.h5"))
    transform = timm.data.create_transform(input_size=(3, SIDE, SIDE), interpolation="bicubic", mean=(0.5,) * 3,
                                           std=(0.5,) * 3, crop_pct=1.0, is_training=False)
    subject = parity_dump.timm_subject(model, dict(source="timm", model="parity", seed=SEED))
    subject.transform, subject.about["transform"] = transform, str(transform)
    with tempfile.TemporaryDirectory() as pictures:
        parity_dump.dump(subject, make_pictures(pictures), os.path.join(folder, "parity_dump.h5"))


if __name__ == "__main__":
    main(sys.argv[1])
