#!/usr/bin/env python3
"""Writes tests/io/tensor_files: weights as the Python packages write them, for tensor_file_test.cpp.

A tensor NAME and one called NAME.f32 hold the same numbers, the second as the package itself turns them into fp32.
versions.json says which packages wrote the files. Needs: numpy ml_dtypes safetensors torch huggingface_hub
"""
import io
import json
import pathlib
import platform
import warnings
import zipfile

import huggingface_hub
import ml_dtypes
import numpy as np
import safetensors
import safetensors.numpy
import safetensors.torch
import torch

OUT = pathlib.Path(__file__).parent / "tensor_files"


def halves():
    """Finite numbers of 16 bits: both zeros, the smallest and largest of each kind, and some of all exponents."""
    ends = [base + i for base in (0, 0x3FE, 0x7BE0, 0x8000, 0x83FE, 0xFBE0) for i in range(32)]
    every = np.array(sorted({*ends, *range(0, 65536, 31)}), dtype=np.uint16).view(np.float16)
    return every[np.isfinite(every)]


def doubles():
    """Ties, subnormals and the ends of fp32."""
    largest = np.finfo(np.float32).max.astype(np.float64)
    near = [1 + 2.0**-24, 1 + 3 * 2.0**-24, 1 - 2.0**-25, 0.1, 1 / 3, 2.0**-149, 2.0**-150, 1.5 * 2.0**-150, 2.0**-126]
    return np.array([0.0, -0.0, largest, -largest, largest * (1 + 2.0**-26), *near, *[-x for x in near]])


def brains():
    rng = np.random.default_rng(1)
    return rng.standard_normal(40).astype(ml_dtypes.bfloat16).reshape(2, 4, 5)


def pairs(**arrays):
    out = dict(arrays)
    out.update({f"{name}.f32": np.asarray(a, np.float32, order="C") for name, a in arrays.items()})
    return out


def torch_tensors():
    rng = np.random.default_rng(2)
    real = {
        "blocks.0.attn.qkv.weight": torch.from_numpy(rng.standard_normal((6, 2)).astype(np.float32)),
        "double": torch.from_numpy(doubles()),
        "half": torch.from_numpy(halves()[::9].copy()),
        "brain": torch.tensor(brains().astype(np.float32)).to(torch.bfloat16),
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 3),
        "größe/x y": torch.ones(1),
    }
    out = dict(real)
    out.update({f"{name}.f32": tensor.to(torch.float32).clone() for name, tensor in real.items()})
    out["steps"] = torch.tensor([3, 4])
    out["mask"] = torch.tensor([True])
    out["tiny"] = torch.ones(3).to(torch.float8_e4m3fn)
    return out


def write_versions_npz(path):
    """Each version of the header, and one as Python 2 wrote it."""
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    with zipfile.ZipFile(path, "w") as out:
        for version in [(1, 0), (2, 0), (3, 0)]:
            data = io.BytesIO()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                np.lib.format.write_array(data, array, version=version)
            out.writestr(zipfile.ZipInfo(f"v{version[0]}.npy"), data.getvalue())
            if version == (1, 0):
                old = data.getvalue().replace(b"(2, 3), }  ", b"(2L, 3L), }")
                out.writestr(zipfile.ZipInfo("python2.npy"), old)


def main():
    OUT.mkdir(exist_ok=True)
    safetensors.torch.save_file(torch_tensors(), OUT / "types.safetensors", metadata={"format": "pt"})

    values = {"b": [0.5, -1.5], "a": [[1, 2, 3]], "c": 4.0}
    safetensors.numpy.save_file(
        {name: np.asarray(value, np.float32).reshape(np.shape(value)) for name, value in values.items()},
        OUT / "written.safetensors", metadata={"format": "pt"})

    block = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    stored = pairs(brain=brains(), turned=np.asfortranarray(block), turned_half=np.asfortranarray(block[0].astype("f2")),
                   scalar=np.float64(2.5), empty=np.zeros((0, 3), np.float32), **{"head/kernel": block})
    np.savez(OUT / "stored.npz", steps=np.arange(2), swapped=np.ones(2, ">f4"), name=np.array("ab"), **stored)
    np.savez_compressed(OUT / "deflated.npz", **pairs(half=halves(), double=doubles(), turned=np.asfortranarray(block)))
    write_versions_npz(OUT / "versions.npz")

    state = {f"blocks.{i}.weight": torch.full((4, 4), float(i)) for i in range(5)}
    (OUT / "sharded").mkdir(exist_ok=True)
    huggingface_hub.save_torch_state_dict(state, OUT / "sharded", max_shard_size=128, safe_serialization=True)

    torch.save({"state_dict": {"w": torch.ones(2)}}, OUT / "zip.pth")
    torch.save({"w": torch.ones(2)}, OUT / "legacy.pt", _use_new_zipfile_serialization=False)
    torch.jit.save(torch.jit.trace(torch.nn.Linear(1, 1), torch.ones(1, 1)), OUT / "script.pt")

    packages = [np, ml_dtypes, safetensors, torch, huggingface_hub]
    versions = {"python": platform.python_version(), **{p.__name__: p.__version__ for p in packages}}
    (OUT / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")


if __name__ == "__main__":
    main()
