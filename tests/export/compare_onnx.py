"""ONNX Runtime beside our logits: python compare_onnx.py VIT [CASE...]

Each model (those of tests/golden, and presets with random weights) is written as a model file, exported, and asked
about pictures of its own size: `vit classify --logits` against ONNX Runtime on the same pixels, one at a time and all
at once. Ends with 1 where a logit is more than 1e-4 off or classes come in another order.
Needs onnxruntime, onnx, h5py, numpy, Pillow.
"""
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from golden_models import all_names, make_model, our_logits, pictures

LIMIT = 1e-4


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
    print(f"onnxruntime {onnxruntime.__version__}, onnx {onnx.__version__}; largest difference of a logit, at most {LIMIT}")
    failed, done = [], 0
    for name in wanted or all_names():
        rng = np.random.default_rng(7)
        with tempfile.TemporaryDirectory() as folder:
            work = pathlib.Path(folder)
            model = work / "model.h5"
            if not make_model(vit, name, model, rng):
                continue
            done += 1
            if not compare(vit, name, model, work, rng):
                failed.append(name)
    print(f"{done - len(failed)} passed, {len(failed)} failed")
    sys.exit(1 if failed or not done else 0)


main()
