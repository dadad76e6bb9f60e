"""ONNX Runtime beside our logits: python compare_runtime.py VIT [CASE...]

Each model (those of tests/golden, and presets with random weights) is written as a model file, exported, and asked
about pictures of its own size: `vit classify --logits` against ONNX Runtime on the same pixels, one at a time and all
at once. Ends with 1 where a logit is more than 1e-4 off or classes come in another order.
Needs onnxruntime, onnx, h5py, numpy, Pillow.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import h5py
import numpy as np
import onnx
import onnxruntime
from PIL import Image

GOLDEN = pathlib.Path(__file__).parent.parent / "golden"
LIMIT = 1e-4
PICTURES = 6
PRESETS = ["vit_tiny_patch16_224", "vit_wee_patch16_reg1_gap_256", "vit_tiny6_patch4_32", "cct_7_3x1_32"]


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


def compare(vit, name, model, work, rng):
    onnx_file = work / "model.onnx"
    subprocess.run([vit, "model", "export", model, onnx_file, "--schema", "onnx"], check=True, capture_output=True)
    onnx.checker.check_model(str(onnx_file), full_check=True)
    session = onnxruntime.InferenceSession(str(onnx_file), providers=["CPUExecutionProvider"])
    size = session.get_inputs()[0].shape[2]
    pixels = pictures(size, work / "pictures", rng)
    ours = our_logits(vit, model, work / "pictures")
    together = session.run(None, {session.get_inputs()[0].name: pixels})[0]
    alone = np.concatenate([session.run(None, {session.get_inputs()[0].name: p[None]})[0] for p in pixels])
    error = max(np.abs(together - ours).max(), np.abs(alone - ours).max())
    order = all((np.argsort(-a) == np.argsort(-b)).all() for a, b in zip(together, ours))
    good = error <= LIMIT and order
    print(f"{name:32} {error:9.2e}  spread {ours.std():7.3f}  order {'same' if order else 'OTHER'}"
          f"{'' if good else '  FAILED'}", flush=True)
    return good


def main():
    vit, wanted = sys.argv[1], sys.argv[2:]
    names = wanted or sorted(p.stem for p in GOLDEN.glob("*.h5")) + PRESETS
    print(f"onnxruntime {onnxruntime.__version__}, onnx {onnx.__version__}; largest difference of a logit, at most {LIMIT}")
    failed, done = [], 0
    for name in names:
        rng = np.random.default_rng(7)
        with tempfile.TemporaryDirectory() as folder:
            work = pathlib.Path(folder)
            model = work / "model.h5"
            if name in PRESETS:
                preset_model(vit, name, model, rng)
            elif not golden_model(name, model):
                continue
            done += 1
            if not compare(vit, name, model, work, rng):
                failed.append(name)
    print(f"{done - len(failed)} passed, {len(failed)} failed")
    sys.exit(1 if failed or not done else 0)


main()
