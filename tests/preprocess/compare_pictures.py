#!/usr/bin/env python3
"""Makes pictures of every container kind, decodes them with Pillow and with decode_image, and counts.

Usage: compare_pictures.py PICTURE_PIXELS [COUNT]     (build/release/bin/picture_pixels; COUNT a kind, 1000)
Needs pillow >= 13, numpy, opencv-python-headless, tifffile, imagecodecs. Fails when a picture is neither equal to
Pillow, nor as docs/formats.md promises, nor refused where it should be, or when a library writes to stderr.
"""
import io
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

from picture_variants import PILLOW, REFUSED, variants

sys.tracebacklimit = 1
warnings.simplefilter("ignore")


def fnv(data):
    h = 0xCBF29CE484222325
    for byte in data:
        h = (h ^ byte) * 0x100000001B3 % 2**64
    return f"{h:016x}"


def line_of(pixels):
    return f"ok {pixels.shape[1]} {pixels.shape[0]} {fnv(pixels.tobytes())}"


def pillow(file):
    """Its pixels, or why it does not read the file."""
    try:
        return np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))
    except Exception as error:  # whatever it raises
        return f"{type(error).__name__}: {error}".split("\n")[0]


def main():
    program, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    wrong = 0
    print("| kind | variants | pictures | equal | as documented, not as Pillow | Pillow refuses, read | refused | wrong |\n|---|---|---|---|---|---|---|---|")
    refusals = {}
    for kind, makers in variants().items():
        with tempfile.TemporaryDirectory() as folder:
            paths, files, wants = [], [], []
            for i in range(count):
                name, make = makers[i % len(makers)]
                file, wanted = make(np.random.default_rng([i, *kind.encode()]))
                paths.append(Path(folder) / f"{i}_{name}.{kind}")
                paths[-1].write_bytes(file)
                files.append(file)
                wants.append(wanted)
            run = subprocess.run([program], input="\n".join(map(str, paths)), capture_output=True, text=True, check=True)
            lines = run.stdout.splitlines()
            assert len(lines) == count, (len(lines), run.stderr)
            if run.stderr:
                wrong += 1
                print("stderr:", run.stderr[:500])
        counts = dict.fromkeys(("equal", "documented", "read", "refused", "wrong"), 0)
        for path, file, wanted, got in zip(paths, files, wants, lines):
            theirs = pillow(file)
            if isinstance(wanted, str) and wanted == REFUSED:
                result = "refused" if got.startswith("error") else "wrong"
                if result == "refused":
                    text = got.split(f"{path}: ")[-1]
                    refusals.setdefault((kind, path.stem.split("_", 1)[1]), (text, theirs))
            elif not isinstance(theirs, str) and got == line_of(theirs):
                result = "equal"
            elif isinstance(wanted, np.ndarray):
                result = "wrong" if got != line_of(wanted) else "read" if isinstance(theirs, str) else "documented"
            else:
                result = "wrong"
            counts[result] += 1
            if result == "wrong" and counts["wrong"] <= 10:
                print(f"{path.name}: {got}; Pillow {theirs if isinstance(theirs, str) else line_of(theirs)}")
        wrong += counts["wrong"]
        print(f"| {kind} | {len(makers)} | {count} | " + " | ".join(str(counts[k]) for k in counts) + " |")
    print()
    for (kind, name), (ours, theirs) in refusals.items():
        print(f"{kind} {name}: {ours} (Pillow: {'reads it' if not isinstance(theirs, str) else theirs})")
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main())
