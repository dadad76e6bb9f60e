"""This program beside its peers: every case by all its engines in turn (A B A B), one process each."""
import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

import report
from cases import MODELS, SHAPES, all_cases, flops, resized

# No numpy, no torch here: a child's peak memory starts with that of the process that started it.
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PEERS = ("openvino", "nncf", "onnxruntime", "torch")
STARTS = 10  # processes a round, of which the median counts


class Failed(Exception):
    """An engine ended with an error; the text is its last line."""


def time_to_output(command):
    """Seconds from the start of a process to its first output, which is printed whole."""
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    first = process.stdout.read1(1 << 16)
    seconds = time.perf_counter() - begin
    process.stdout.read()
    if process.wait() != 0 or not first:
        raise Failed(f"exit code {process.returncode}")
    return seconds


def execute(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise Failed(lines[-1] if lines else f"exit code {done.returncode}")
    return done.stdout


class Session:
    def __init__(self, args, work):
        self.args = args
        self.vit = os.path.join(args.build, "bin", "vit")
        self.work = work
        self.exports = os.path.join(ROOT, "build", "peers-exports")
        os.makedirs(self.exports, exist_ok=True)

    def bench(self, case, engine):
        """Figures of `vit bench`; the rate is that of the median step, as the peers' is."""
        out = os.path.join(self.work, "bench.json")
        seconds = self.args.seconds / (2 if case.section == "curve" else 1)
        execute([self.vit, "bench", "--model", MODELS[case.model], "--batch", str(case.batch), "--dtype", engine.dtype,
                 "--threads", str(engine.threads), "--seconds", str(seconds), "--json", out, "--force", *engine.options]
                + (["--train"] if case.train else []))
        with open(out) as file:
            figures = json.load(file)
        if figures["dtype"] != engine.dtype:
            raise Failed(f"this processor computes {engine.dtype} as {figures['dtype']}")
        if MODELS[case.model] in SHAPES:
            counted = flops(resized(MODELS[case.model], case.option, case.value), case.train, all_tokens=False) / 1e9
            if abs(figures["gflop_per_image"] - counted) > 1e-9 * counted:
                raise Failed(f"counts {figures['gflop_per_image']} GFLOP an image, cases.py {counted}")
        ms = figures["latency_ms"]["p50"]
        return {"ms": ms, "images_per_second": 1e3 * case.batch / ms, "memory_mb": figures["peak_rss_mb"],
                "peak_gflops": figures["peak_gflops"], "gflop": figures["gflop_per_image"]}

    def start(self, case, engine):
        """From the start of `vit classify` to the label, the model and the picture in the file cache."""
        model = os.path.join(self.work, case.model + ".h5")
        if not os.path.exists(model):
            execute([self.vit, "model", "init", model, "--model", MODELS[case.model], "--classes", "1000"])
        matplotlib = os.path.dirname(importlib.util.find_spec("matplotlib").origin)
        picture = os.path.join(matplotlib, "mpl-data", "sample_data", "grace_hopper.jpg")
        command = [self.vit, "classify", model, picture, "--dtype", engine.dtype, "--threads", str(engine.threads)]
        execute(command)
        return {"ms": 1e3 * statistics.median(time_to_output(command) for _ in range(STARTS))}

    def export(self, name, kind):
        path = os.path.join(self.exports, name + kind)
        if not os.path.exists(path):
            source = name if kind == ".onnx" else self.export(name, ".onnx")
            print(f"making {path}", file=sys.stderr)
            execute([sys.executable, os.path.join(HERE, "export.py"), source, path])
        return path

    def peer(self, case, engine):
        name = MODELS[case.model]
        if not engine.program.startswith("torch"):
            self.export(name, ".xml" if engine.dtype == "int8" else ".onnx")
        out = execute([sys.executable, os.path.join(HERE, "engine.py"), engine.program, name, "--dtype", engine.dtype,
                       "--batch", str(case.batch), "--threads", str(engine.threads), "--seconds",
                       str(self.args.seconds), "--exports", self.exports] + (["--train"] if case.train else []))
        return json.loads(out.splitlines()[-1])

    def measure(self, case):
        """{engine: [figures of each round]}, or {engine: why there are none}."""
        run = {"vit": self.bench, "vit-start": self.start}
        results = {name: [] for name, _ in case.engines}
        for _ in range(self.args.rounds):
            for name, engine in case.engines:
                if isinstance(results[name], str):
                    continue
                try:
                    results[name].append(run.get(engine.program, self.peer)(case, engine))
                except Failed as why:
                    results[name] = str(why)
        return results


def machine(vit):
    """Lines of `vit --version`: its commit, processor, vector code and libraries."""
    return [line for line in execute([vit, "--version"]).splitlines() if line.strip()] + [
        f"system: {platform.system()} {platform.machine()}, Python {platform.python_version()}"]


def parse_arguments():
    parser = argparse.ArgumentParser(prog="bench/peers/run", description=__doc__,
                                     formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of every engine")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4, help="of each engine in a round; half that for curves")
    parser.add_argument("--only", action="append", metavar="SUBSTRING",
                        help="only the cases whose name holds this, e.g. 'inference fp32' (may be repeated)")
    parser.add_argument("--list", action="store_true", help="print the names of the cases and end")
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "release"), help="folder of the build")
    parser.add_argument("--out", help="folder of benchmarks.md and .json and images/cost-curves.png (default: docs for "
                        "all cases in at least 3 rounds, else build/benchmarks)")
    args = parser.parse_args()
    if args.threads < 1 or args.rounds < 1 or args.seconds < 0:
        parser.error("--threads and --rounds need at least 1, --seconds at least 0")
    if args.out is None:
        full = not args.only and args.rounds >= 3
        args.out = os.path.join(ROOT, "docs") if full else os.path.join(ROOT, "build", "benchmarks")
    return parser, args


def main():
    parser, args = parse_arguments()
    cases = [c for c in all_cases(args.threads) if not args.only or any(text in c.id for text in args.only)]
    if not cases:
        parser.error("--only: no case holds it; --list names them")
    if args.list:
        print("\n".join(c.id for c in cases))
        return
    command = ["bench/peers/run"] + [f"'{a}'" if " " in a else a for a in sys.argv[1:]]
    with tempfile.TemporaryDirectory() as work:
        session = Session(args, work)
        raw = {"command": " ".join(command), "threads": args.threads, "rounds": args.rounds, "seconds": args.seconds,
               "machine": machine(session.vit), "peers": {p: importlib.metadata.version(p) for p in PEERS}, "cases": []}
        for number, case in enumerate(cases, 1):
            print(f"{number}/{len(cases)} {case.id}", file=sys.stderr, flush=True)
            raw["cases"].append({"id": case.id, "section": case.section, "model": case.model, "dtype": case.dtype,
                                 "batch": case.batch, "train": case.train, "option": case.option, "value": case.value,
                                 "engines": session.measure(case)})
            # Kept after every case: what was measured is not lost with the last of them.
            report.write_json(raw, os.path.join(ROOT, "build", "benchmarks-so-far.json"))
    report.write_all(raw, args.out)
    print(f"wrote {args.out}/benchmarks.md", file=sys.stderr)


if __name__ == "__main__":
    main()
