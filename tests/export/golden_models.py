"""Models for the comparisons beside this file: those of tests/golden, and presets with random weights, as model files."""
import json
import pathlib
import subprocess

import h5py
import numpy as np
from PIL import Image

GOLDEN = pathlib.Path(__file__).parent.parent / "golden"
PRESETS = ["vit_tiny_patch16_224", "vit_wee_patch16_reg1_gap_256", "vit_tiny6_patch4_32", "cct_7_3x1_32"]
PICTURES = 6


def text(value):
    return np.array([value.encode()], dtype=h5py.string_dtype("utf-8", len(value.encode())))


def preprocess(size):
    return {"size": size, "resize_size": size, "rule": "squash", "interpolation": "bilinear", "mean": [0.5, 0.4, 0.3],
            "std": [0.25, 0.3, 0.5]}


def write_model(path, config, weights):
    with h5py.File(path, "w") as f:
        f.attrs["format"], f.attrs["version"] = np.bytes_("vit-model"), np.bytes_("1")
        f["config"] = text(json.dumps(config))
        f["preprocess"] = text(json.dumps(preprocess(config["image_size"])))
        f["training"] = text("null")
        f["class_names"] = np.array([b"class %d" % i for i in range(config["classes"])], dtype=h5py.string_dtype("utf-8", 16))
        for name, values in weights.items():
            f["weights/" + name] = values


def golden_model(name, path):
    with h5py.File(GOLDEN / (name + ".h5")) as f:
        case = json.loads(bytes(f["case"][:]))
        if "before" not in f:
            return False
        config = {"name": name, "channels": 3, "position": "learned", "layer_scale_init": 0.1} | case["config"]
        write_model(path, config, {n: w[:] for n, w in f["before"].items()})
    return True


def preset_model(vit, name, path, rng):
    drawn = path.with_suffix(".drawn.h5")
    subprocess.run([vit, "model", "init", "--model", name, "--classes", "100", drawn], check=True, capture_output=True)
    with h5py.File(drawn) as f:  # random biases and scales, and weights that are large enough for answers that differ
        config = json.loads(f["config"][0])
        weights = {n: w[:] + rng.normal(0, 0.02, w.shape).astype(np.float32) for n, w in f["weights"].items()}
    weights["head.weight"] *= 10
    write_model(path, config, weights)


def our_logits(vit, model, folder):
    out = subprocess.run([vit, "classify", model, folder, "--format", "jsonl", "--logits", "--dtype", "fp32"], check=True,
                         capture_output=True, text=True).stdout
    return np.array([json.loads(line)["logits"] for line in out.splitlines()])


def pictures(size, folder, rng):
    """PNG files of the model's own size, and what it makes of their pixels."""
    folder.mkdir()
    rule, pixels = preprocess(size), []
    for i in range(PICTURES):
        small = rng.integers(0, 256, (max(size // 8, 2), max(size // 8, 2), 3), dtype=np.uint8)
        image = np.asarray(Image.fromarray(small).resize((size, size), Image.Resampling.BICUBIC))
        Image.fromarray(image).save(folder / f"{i}.png")
        pixels.append((image.astype(np.float32) / 255 - np.float32(rule["mean"])) / np.float32(rule["std"]))
    return np.stack(pixels).transpose(0, 3, 1, 2).astype(np.float32)


def make_model(vit, name, path, rng):
    """False where the golden is of something else than a model."""
    if name not in PRESETS:
        return golden_model(name, path)
    preset_model(vit, name, path, rng)
    return True


def all_names():
    return sorted(p.stem for p in GOLDEN.glob("*.h5")) + PRESETS
