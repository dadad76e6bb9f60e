#!/usr/bin/env python3
"""Resize of a 500 x 375 photograph to 298 x 224 on one thread: ours (bench/pipeline_bench.cpp), Pillow and OpenCV in turn,
medians in microseconds and ratios.

Usage: resize.py BENCH_PIPELINE [ROUNDS]     (build/release/bin/bench_pipeline, 9; needs pillow, opencv, numpy)
"""
import csv
import io
import statistics
import subprocess
import sys
import time

import cv2
import numpy as np
from PIL import Image

FILTERS = {"bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC, "lanczos": Image.LANCZOS, "box": Image.BOX}
SIZE = (298, 224)


def picture():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:375, 0:500]
    waves = [128 + 50 * (np.sin((c + 1) * x / 70) + np.cos(y / 70)) for c in range(3)]
    return np.clip(np.stack(waves, -1) + rng.uniform(-8, 8, (375, 500, 3)), 0, 255).astype(np.uint8)


def microseconds(call, seconds=0.2):
    times = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e6


def ours(program):
    run = subprocess.run([program, "--benchmark_filter=^resize(/|_opencv)", "--benchmark_format=csv", "--benchmark_min_time=0.2"],
                         capture_output=True, text=True, check=True)
    rows = csv.DictReader(io.StringIO(run.stdout[run.stdout.index("name,"):]))
    return {row["name"]: float(row["cpu_time"]) / (1000 if row["time_unit"] == "ns" else 1) for row in rows}


def main():
    program, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 9
    cv2.setNumThreads(1)
    pixels = picture()
    image = Image.fromarray(pixels)
    found = {}
    for _ in range(rounds):
        for name, value in ours(program).items():
            found.setdefault(name, []).append(value)
        for name, code in FILTERS.items():
            found.setdefault(f"pillow/{name}", []).append(microseconds(lambda: image.resize(SIZE, code)))
        found.setdefault("opencv_python/area", []).append(
            microseconds(lambda: cv2.resize(pixels, SIZE, interpolation=cv2.INTER_AREA)))
    medians = {name: statistics.median(values) for name, values in found.items()}
    for name, values in found.items():
        print(f"{name:22} {medians[name]:8.1f} us   ({min(values):.1f} to {max(values):.1f})")
    for name in FILTERS:
        mine = medians[f"resize/{name}"]
        print(f"{name:9} Pillow / ours {medians[f'pillow/{name}'] / mine:.2f}   OpenCV {cv2.__version__} INTER_AREA / ours "
              f"{medians['opencv_python/area'] / mine:.2f}   the library's own {medians['resize_opencv_area'] / mine:.2f}")


if __name__ == "__main__":
    main()
