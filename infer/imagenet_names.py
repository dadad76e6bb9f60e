"""Writes infer/imagenet_names.cpp: python infer/imagenet_names.py

The names of ImageNet-1k's classes as torchvision lists them, and their WordNet identifiers as timm does. Two pairs are
told apart more clearly than there.
"""
import re
from importlib.metadata import version
from pathlib import Path

from timm.data.imagenet_info import ImageNetInfo
from torchvision.models._meta import _IMAGENET_CATEGORIES

CLEARER = {134: "crane (bird)", 517: "crane (machine)", 638: "maillot (tights)", 639: "maillot (swimsuit)"}
COLUMNS = 112

HEAD = """// Made by infer/imagenet_names.py from torchvision {torchvision} (models/_meta.py) and timm {timm} (imagenet_synsets.txt).
#include "infer/imagenet_names.h"

namespace vit {{
namespace {{

// clang-format off
/// "01440764 tench\\n": the number of the noun in WordNet 3.0, and the name.
constexpr std::string_view kTable =
"""
TAIL = """// clang-format on

}}  // namespace

std::string_view imagenet_table() {{ return kTable; }}

}}  // namespace vit
"""


def literals(text):
    """string literals of whole lines, about COLUMNS wide"""
    line = ""
    for entry in text:
        if len(line) + len(entry) + 2 > COLUMNS:
            yield line
            line = ""
        line += entry + "\\n"
    yield line


def main():
    names = [CLEARER.get(i, name) for i, name in enumerate(_IMAGENET_CATEGORIES)]
    synsets = ImageNetInfo().label_names()
    assert len(names) == len(synsets) == len(set(names)) == len(set(synsets)) == 1000
    assert all(re.fullmatch(r"n\d{8}", s) for s in synsets)
    assert all(re.fullmatch(r"[A-Za-z][A-Za-z0-9 .'()/-]*", n) for n in names), "a character that C++ would escape"
    versions = {package: version(package) for package in ("torchvision", "timm")}
    entries = [f"{s[1:]} {n}" for s, n in zip(synsets, names)]
    body = "\n".join(f'    "{line}"' for line in literals(entries)) + ";\n"
    Path(__file__).with_suffix(".cpp").write_text(HEAD.format(**versions) + body + TAIL.format())


if __name__ == "__main__":
    main()
