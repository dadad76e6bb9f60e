"""One engine on one shape, one process: python engine.py ENGINE MODEL BATCH THREADS SECONDS CACHE

ENGINE: torch, onnxruntime, openvino (inference), torch-train (one step: forward, backward, clip, AdamW).
Prints one JSON line: images_per_second and latency of the median run, peak_rss_mb.
"""
import json
import os
import resource
import sys
import time

engine, name, batch, threads, seconds, cache = sys.argv[1:]
batch, threads, seconds = int(batch), int(threads), float(seconds)
os.environ["OMP_NUM_THREADS"] = str(threads)

import numpy as np  # noqa: E402  after the thread count

SIDE = {"vit_tiny9_patch4_32": 32}.get(name, 224)
pixels = np.random.default_rng(0).standard_normal((batch, 3, SIDE, SIDE), dtype=np.float32)


def torch_model():
    import torch
    from model import Vit
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    return torch, Vit(name)


def onnx_file():
    path = os.path.join(cache, name + ".onnx")
    if not os.path.exists(path):
        torch, model = torch_model()
        torch.onnx.export(model.eval(), torch.randn(2, 3, SIDE, SIDE), path, opset_version=17, input_names=["x"],
                          output_names=["y"], dynamic_axes={"x": {0: "b"}, "y": {0: "b"}}, dynamo=False)
    return path


def make_step():
    if engine == "onnxruntime":
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(onnx_file(), options)
        return lambda: session.run(None, {"x": pixels})
    if engine == "openvino":
        import openvino
        core = openvino.Core()
        graph = core.read_model(onnx_file())
        graph.reshape([batch, 3, SIDE, SIDE])
        compiled = core.compile_model(graph, "CPU", {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1,
                                                     "INFERENCE_PRECISION_HINT": "f32"})
        request = compiled.create_infer_request()
        return lambda: request.infer({0: pixels})
    torch, model = torch_model()
    x = torch.from_numpy(pixels)
    if engine == "torch":
        model.eval()

        def forward():
            with torch.inference_mode():
                return model(x)
        return forward
    labels = torch.randint(0, 10, (batch,))
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=0.05, fused=True)

    def step():
        optimizer.zero_grad(set_to_none=False)
        loss = torch.nn.functional.cross_entropy(model(x), labels, label_smoothing=0.1)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.item()
    return step


if engine in ("onnxruntime", "openvino"):
    # The export runs in a process of its own, so that its memory does not count.
    if not os.path.exists(os.path.join(cache, name + ".onnx")):
        if os.fork() == 0:
            onnx_file()
            os._exit(0)
        os.wait()
run = make_step()
run()
run()
times, end = [], time.perf_counter() + seconds
while time.perf_counter() < end or len(times) < 3:
    begin = time.perf_counter()
    run()
    times.append(time.perf_counter() - begin)
median = sorted(times)[len(times) // 2]
print(json.dumps({"images_per_second": batch / median, "latency_ms": {"p50": median * 1e3},
                  "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
