"""All engines on the same shapes, in turn (A B A B), one process each; medians and ratios as Markdown.

python compare.py VIT OUT.md [--threads 2] [--rounds 3] [--seconds 4]
"""
import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
import tempfile

from model import flops

HERE = os.path.dirname(os.path.abspath(__file__))
INFERENCE = [("vit_tiny_patch16_224", 1), ("vit_tiny_patch16_224", 16), ("vit_base_patch16_224", 1),
             ("vit_base_patch16_224", 8), ("vit_tiny9_patch4_32", 1), ("vit_tiny9_patch4_32", 128)]
TRAINING = [("vit_tiny9_patch4_32", 128), ("vit_tiny_patch16_224", 32)]
PEERS = {"inference": ["openvino", "onnxruntime", "torch"], "training": ["torch-train"]}


def run_ours(args, kind, name, batch):
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        command = [args.vit, "bench", "--model", name, "--batch", str(batch), "--threads", str(args.threads),
                   "--seconds", str(args.seconds), "--json", out.name]
        subprocess.run(command + (["--train"] if kind == "training" else []), check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        return json.load(out)


def run_peer(args, engine, name, batch):
    command = [sys.executable, os.path.join(HERE, "engine.py"), engine, name, str(batch), str(args.threads),
               str(args.seconds), args.cache]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure(args, kind, name, batch):
    """Rounds of all engines in turn: {engine: [result of each round]}."""
    results = {}
    for _ in range(args.rounds):
        results.setdefault("vit", []).append(run_ours(args, kind, name, batch))
        for engine in PEERS[kind]:
            results.setdefault(engine, []).append(run_peer(args, engine, name, batch))
    return results


def row(kind, name, batch, results):
    work = flops(name) * (3 if kind == "training" else 1) / 1e9
    peak = statistics.median(r["peak_gflops"] for r in results["vit"])
    cells = [name, str(batch)]
    for engine, rounds in results.items():
        rate = statistics.median(r["images_per_second"] for r in rounds)
        memory = statistics.median(r["peak_rss_mb"] for r in rounds)
        text = f"{rate:.1f} img/s, {rate * work:.0f} GF/s ({100 * rate * work / peak:.0f} %), {memory:.0f} MB"
        if engine != "vit":
            ratios = [a["images_per_second"] / b["images_per_second"] for a, b in zip(results["vit"], rounds)]
            text += f"; **{statistics.median(ratios):.2f}x**"
        cells.append(text)
    print(" | ".join(cells), flush=True)
    return "| " + " | ".join(cells) + " |\n"


def table(args, kind, cases):
    engines = ["vit"] + PEERS[kind]
    text = f"\n## {kind.capitalize()}, fp32\n| model | batch | " + " | ".join(engines) + " |\n"
    text += "|" + "---|" * (2 + len(engines)) + "\n"
    for name, batch in cases:
        text += row(kind, name, batch, measure(args, kind, name, batch))
    return text


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("vit")
    parser.add_argument("out")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--cache", default=os.path.join(tempfile.gettempdir(), "vit-peers"))
    args = parser.parse_args()
    os.makedirs(args.cache, exist_ok=True)
    version = subprocess.run([args.vit, "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout
    packages = open(os.path.join(HERE, "requirements.txt")).read().split()
    text = ("# Benchmarks\n"
            "Medians over rounds in which the engines run in turn, one process each; `x` is the median over the rounds\n"
            "of our rate divided by the peer's. GF/s count the operations of docs/architecture.md; % is of the machine's\n"
            "measured peak (register-only multiply-adds on all threads).\n\n"
            f"- {datetime.date.today()}, {args.threads} threads, {args.rounds} rounds of {args.seconds:g} s\n"
            + "".join(f"- {line}\n" for line in version.splitlines() if line.strip())
            + f"- peers: {', '.join(packages)}\n"
            "- command: `bench/peers/run`\n")
    text += table(args, "inference", INFERENCE) + table(args, "training", TRAINING)
    with open(args.out, "w") as out:
        out.write(text)


if __name__ == "__main__":
    main()
