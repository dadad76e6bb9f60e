"""One peer on one shape in a process of its own. The last line of its output is JSON: ms of the median step, the
images/s that follow, and the peak memory of the process."""
import argparse
import json
import os
import time

parser = argparse.ArgumentParser()
parser.add_argument("engine", choices=["torch", "torch-compiled", "onnxruntime", "openvino", "openvino-streams"])
parser.add_argument("model")
parser.add_argument("--dtype", choices=["fp32", "bf16", "int8"], default="fp32")
parser.add_argument("--train", action="store_true", help="a step: forward, backward, clipping, AdamW")
parser.add_argument("--batch", type=int, default=1)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--seconds", type=float, default=4)
parser.add_argument("--exports", help="folder of MODEL.onnx and MODEL.xml")
args = parser.parse_args()
os.environ["OMP_NUM_THREADS"] = str(args.threads)  # read when the libraries are loaded

import numpy as np  # noqa: E402

from cases import side  # noqa: E402

SIDE = side(args.model)


def noise(images):
    return np.random.default_rng(0).standard_normal((images, 3, SIDE, SIDE), dtype=np.float32)


def torch_model():
    import torch
    from model import make_model
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    model = make_model(args.model)
    return torch, model, torch.compile(model) if args.engine == "torch-compiled" else model


def torch_step():
    torch, model, run = torch_model()
    dtype = torch.bfloat16 if args.dtype == "bf16" else torch.float32
    model.eval().to(dtype)
    x = torch.from_numpy(noise(args.batch)).to(dtype)

    def step():
        with torch.inference_mode():
            return run(x)
    return step


def torch_training_step():
    torch, model, run = torch_model()
    x = torch.from_numpy(noise(args.batch))
    labels = torch.randint(0, 10, (args.batch,))
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=0.05, fused=True)

    def step():
        optimizer.zero_grad(set_to_none=False)
        with torch.autocast("cpu", torch.bfloat16, enabled=args.dtype == "bf16"):
            loss = torch.nn.functional.cross_entropy(run(x), labels, label_smoothing=0.1)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.item()
    return step


def onnxruntime_step():
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    session = onnxruntime.InferenceSession(os.path.join(args.exports, args.model + ".onnx"), options)
    pixels = noise(args.batch)
    return lambda: session.run(None, {"x": pixels})


def openvino_step():
    """One request on all threads, or (openvino-streams) a part of the batch on each thread."""
    import openvino
    streams = min(args.threads, args.batch) if args.engine == "openvino-streams" else 1
    core = openvino.Core()
    graph = core.read_model(os.path.join(args.exports, args.model + (".xml" if args.dtype == "int8" else ".onnx")))
    graph.reshape([args.batch // streams, 3, SIDE, SIDE])
    compiled = core.compile_model(graph, "CPU", {
        "INFERENCE_NUM_THREADS": args.threads, "NUM_STREAMS": streams,
        "PERFORMANCE_HINT": "LATENCY" if streams == 1 else "THROUGHPUT",
        "INFERENCE_PRECISION_HINT": "bf16" if args.dtype == "bf16" else "f32"})
    requests = [compiled.create_infer_request() for _ in range(streams)]
    for request in requests:
        request.set_input_tensor(openvino.Tensor(noise(args.batch // streams)))

    def step():
        for request in requests:
            request.start_async()
        for request in requests:
            request.wait()
    return step


def peak_memory_mb():
    # Not getrusage: its maximum starts with that of the process that started this one.
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1024


def main():
    if args.train:
        step = torch_training_step()
    else:
        step = {"torch": torch_step, "torch-compiled": torch_step, "onnxruntime": onnxruntime_step,
                "openvino": openvino_step, "openvino-streams": openvino_step}[args.engine]()
    step()
    step()
    times, end = [], time.perf_counter() + args.seconds
    while not times or time.perf_counter() < end:
        begin = time.perf_counter()
        step()
        times.append(time.perf_counter() - begin)
    median = sorted(times)[len(times) // 2]
    print(json.dumps({"ms": median * 1e3, "images_per_second": args.batch / median, "memory_mb": peak_memory_mb()}))


main()
