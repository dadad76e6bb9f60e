"""A model trained here, in the other libraries and back: python round_trip.py VIT [FOLDER]

Digits are drawn, a small model learns them, and its exports answer about 1,000 held-out pictures in timm, transformers,
torchvision and ONNX Runtime, each with its own preprocessing from the exported files: logits and answers are compared
with those of `vit classify`, picture by picture. Then the folders that these libraries save are imported again: the
weights must be the bits that they were. Ends with 1 where anything differs.
Needs torch, timm, transformers, torchvision, safetensors, onnxruntime, h5py, numpy, Pillow. FOLDER keeps the files.
"""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import h5py
import numpy as np
import onnxruntime
import safetensors.torch
import timm
import torch
import torchvision
import transformers
from PIL import Image

LIMIT = 1e-4
FAULTS = []


def run(*command):
    return subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True).stdout


def check(good, text):
    print(("      " if good else "WRONG ") + text, flush=True)
    if not good:
        FAULTS.append(text)


# ---- here ----

def train(vit, work):
    run(vit, "data", "draw", work / "digits", "--train", 300, "--test", 100, "--size", 24)
    run(vit, "train", work / "digits", "--out", work / "run", "--recipe", "digits", "--pooling", "token",
        "--class-token", "on", "--epochs", 8, "--seed", 1)
    return work / "run" / "best.h5"


def answers(vit, model, folder):
    lines = [json.loads(l) for l in
             run(vit, "classify", model, folder, "--format", "jsonl", "--logits", "--dtype", "fp32").splitlines()]
    return [l["path"] for l in lines], np.array([l["logits"] for l in lines])


def accuracy(logits, paths):
    names = sorted({pathlib.Path(p).parent.name for p in paths})
    return float(np.mean([names[a] == pathlib.Path(p).parent.name for a, p in zip(logits.argmax(1), paths)]))


def compare(name, logits, wanted, paths):
    error, same = np.abs(logits - wanted).max(), (logits.argmax(1) == wanted.argmax(1)).sum()
    check(error <= LIMIT and same == len(paths),
          f"{name:14} logits differ by {error:.1e}; {same} of {len(paths)} answers the same, accuracy "
          f"{accuracy(logits, paths):.4f} (here {accuracy(wanted, paths):.4f})")


# ---- elsewhere ----

def in_batches(model, pixels):
    with torch.inference_mode():
        return torch.cat([model(p) for p in torch.stack(pixels).split(100)]).numpy()


def by_timm(folder, paths):
    model = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    transform = timm.data.create_transform(**timm.data.resolve_data_config(model.pretrained_cfg), is_training=False)
    return model, in_batches(model, [transform(Image.open(p).convert("RGB")) for p in paths])


def by_transformers(folder, paths):
    model = transformers.AutoModelForImageClassification.from_pretrained(folder).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(folder, use_fast=False)
    pixels = [processor(Image.open(p).convert("RGB"), return_tensors="pt")["pixel_values"][0] for p in paths]
    return model, in_batches(lambda x: model(x).logits, pixels)


def our_pixels(rule, path):
    """shorter_side and squash of our own rule, as Pillow computes them"""
    image = Image.open(path).convert("RGB")
    size = rule["size"]
    if rule["rule"] == "squash":
        image = image.resize((size, size), getattr(Image.Resampling, rule["interpolation"].upper()))
    else:
        image = torchvision.transforms.functional.resize(
            image, rule["resize_size"], getattr(torchvision.transforms.InterpolationMode, rule["interpolation"].upper()))
        image = torchvision.transforms.functional.center_crop(image, size)
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255
    return (pixels - torch.tensor(rule["mean"])[:, None, None]) / torch.tensor(rule["std"])[:, None, None]


def by_torchvision(folder, paths):
    config = json.loads((folder / "config.json").read_text())
    model = torchvision.models.VisionTransformer(**config["arguments"]).eval()
    model.load_state_dict(safetensors.torch.load_file(folder / "model.safetensors"))
    transform = timm.data.create_transform(**timm.data.resolve_data_config(config["pretrained_cfg"]), is_training=False)
    return model, in_batches(model, [transform(Image.open(p).convert("RGB")) for p in paths])


def by_onnx(file, paths):
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    rule = json.loads(session.get_modelmeta().custom_metadata_map["preprocess"])
    pixels = torch.stack([our_pixels(rule, p) for p in paths]).numpy()
    return np.concatenate([session.run(None, {"pixels": p})[0] for p in np.split(pixels, len(paths) // 100)])


# ---- and back ----

def compare_back(vit, name, source, original, work, folder):
    back = work / f"{name}.back.h5"
    run(vit, "model", "import", source, back, "--force")
    with h5py.File(original) as a, h5py.File(back) as b:
        names = sorted(a["weights"])
        equal = names == sorted(b["weights"]) and all(
            (a["weights"][n][:].view(np.uint32) == b["weights"][n][:].view(np.uint32)).all() for n in names)
        old, new = (json.loads(f["config"][0]) for f in (a, b))
        other = [k for k in old.keys() | new.keys() if k not in ("name", "layer_scale_init") and old.get(k) != new.get(k)]
        labels = list(a["class_names"][:]) == list(b["class_names"][:])
    check(equal and not other and labels, f"{name:14} back: weights {'equal to the bit' if equal else 'DIFFER'}, "
          f"config {'equal' if not other else other}, labels {'equal' if labels else 'DIFFER'}")
    _, again = answers(vit, back, folder)
    _, first = answers(vit, original, folder)
    check((again == first).all(), f"{name:14} back: logits {'equal to the bit' if (again == first).all() else np.abs(again - first).max()}")


def main():
    vit = pathlib.Path(sys.argv[1]).resolve()
    work = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else tempfile.mkdtemp())
    work.mkdir(exist_ok=True)
    original = work / "run" / "best.h5"
    if not original.exists():
        train(vit, work)
    test = work / "digits" / "test"
    paths, wanted = answers(vit, original, test)
    print(f"{len(paths)} pictures; timm {timm.__version__}, transformers {transformers.__version__}, torchvision "
          f"{torchvision.__version__}, onnxruntime {onnxruntime.__version__}, torch {torch.__version__}")
    for schema in ("timm", "hf", "torchvision"):
        run(vit, "model", "export", original, work / schema, "--schema", schema, "--force")
    run(vit, "model", "export", original, work / "model.onnx", "--force")
    of_timm, logits = by_timm(work / "timm", paths)
    compare("timm", logits, wanted, paths)
    of_hf, logits = by_transformers(work / "hf", paths)
    compare("transformers", logits, wanted, paths)
    of_torchvision, logits = by_torchvision(work / "torchvision", paths)
    compare("torchvision", logits, wanted, paths)
    compare("onnxruntime", by_onnx(work / "model.onnx", paths), wanted, paths)

    for schema in ("timm", "hf", "torchvision"):
        compare_back(vit, schema, work / schema, original, work, test)
    saved = work / "saved_timm"
    shutil.rmtree(saved, ignore_errors=True)
    timm.models.save_for_hf(of_timm, saved, safe_serialization=True,
                            model_config={"label_names": json.loads((work / "timm/config.json").read_text())["label_names"]})
    compare_back(vit, "saved_timm", saved, original, work, test)
    saved = work / "saved_hf"
    of_hf.save_pretrained(saved)
    shutil.copy(work / "hf/preprocessor_config.json", saved)
    compare_back(vit, "saved_hf", saved, original, work, test)
    print(f"{len(FAULTS)} differences")
    sys.exit(1 if FAULTS else 0)


main()
