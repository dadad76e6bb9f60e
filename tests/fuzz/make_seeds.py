#!/usr/bin/env python3
"""Writes tests/fuzz/corpus/TARGET/seed_*: small good files from which the fuzzers begin.

Needs: numpy h5py pillow opencv-python-headless tifffile (as tests/preprocess/picture_variants.py)
"""
import bz2
import gzip
import io
import json
import lzma
import pathlib
import struct
import sys
import tarfile
import zipfile

import h5py
import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "preprocess"))
import picture_variants  # noqa: E402

BETWEEN = b"\n--file--\n"  # as data_sets.cpp has it


def write(target, name, data):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"seed_{name}").write_bytes(data)


def pictures():
    picture_variants.most = 9
    targets = {"jpg": "jpeg", "jpeg": "jpeg", "tif": "tiff"}
    smallest = {}
    for kind, makes in picture_variants.variants().items():
        target = targets.get(kind, kind)
        for name, make in makes:
            if target in ("jpeg", "png", "webp", "tiff", "bmp", "pnm"):
                smallest[target, name] = make(np.random.default_rng(7))[0]
    for (target, name), data in smallest.items():
        if len(data) <= 2500:
            write(target, name, data)


def archives():
    files = {"cat/0.png": b"one", "dog/1.png": b"two" * 50, "cat/2.png": b""}
    for mode, pack in (("", bytes), ("gz", lambda b: gzip.compress(b, mtime=0)), ("xz", lzma.compress), ("bz2", bz2.compress)):
        for form in (tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
            out = io.BytesIO()
            with tarfile.open(fileobj=out, mode="w", format=form) as tar:
                for name, data in files.items():
                    info = tarfile.TarInfo(name if form == tarfile.USTAR_FORMAT else "x" * 110 + "/" + name)
                    info.size = len(data)
                    tar.addfile(info, io.BytesIO(data))
                for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
                    link = tarfile.TarInfo(f"dog/link{kind.decode()}.png")
                    link.type, link.linkname = kind, "../cat/0.png" if kind == tarfile.SYMTYPE else "cat/0.png"
                    tar.addfile(link)
            if mode or form == tarfile.GNU_FORMAT:
                write("archive", f"tar{mode}_{form}", pack(out.getvalue()))
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", method) as archive:
            for name, data in files.items():
                archive.writestr(zipfile.ZipInfo(name), data, method)
            link = zipfile.ZipInfo("dog/link.png")
            link.external_attr = 0o120777 << 16
            archive.writestr(link, "../cat/0.png")
        write("archive", f"zip_{method}", out.getvalue())


def arrays():
    images = struct.pack(">4I", 0x803, 2, 3, 2) + bytes(range(12))
    labels = struct.pack(">2I", 0x801, 2) + b"\0\1"
    write("idx", "plain", images + BETWEEN + labels)
    write("idx", "gz", gzip.compress(images, mtime=0) + BETWEEN + gzip.compress(labels, mtime=0))
    write("cifar", "10", b"\3" + bytes(3072) + BETWEEN + b"\n".join(b"class%d" % i for i in range(10)))
    write("cifar", "100", b"\3\7" + bytes(3072) + BETWEEN + b"\n".join(b"class%d" % i for i in range(100)))


def tensors():
    golden = HERE.parent / "io" / "tensor_files"
    for name in ("types.safetensors", "written.safetensors"):
        write("safetensors", name, (golden / name).read_bytes())
    for name in ("stored.npz", "versions.npz"):
        write("npz", name, (golden / name).read_bytes())
    out = io.BytesIO()
    np.savez_compressed(out, a=np.arange(6, dtype="f2").reshape(2, 3), b=np.asfortranarray(np.ones((2, 2), "f4")))
    write("npz", "deflated", out.getvalue())
    names = {"a": "1.safetensors", "b.c": "1.safetensors", "d": "2.safetensors"}
    write("tensor_index", "index", json.dumps({"metadata": {"total_size": 16}, "weight_map": names}).encode())


def imports():
    models = ["timm_token", "timm_registers", "timm_eva02", "timm_siglip", "torchvision_old", "hf_vit_new_names",
              "hf_siglip_trimmed", "hf_dinov2", "hf_clip_features", "dinov3", "dinov2", "hf_aimv2"]
    for name in models:
        folder = HERE.parent / "golden" / "imports" / name
        weights = (folder / "model.safetensors").read_bytes()
        header = weights[8:8 + struct.unpack("<Q", weights[:8])[0]].strip()
        beside = [folder / file for file in ("config.json", "preprocessor_config.json")]
        texts = [path.read_bytes() if path.exists() else b"" for path in beside]
        texts = [json.dumps(json.loads(text)).encode() if text else b"" for text in texts]
        write("import", name, BETWEEN.join([*texts, header]))
    names = ["tench", "Straße", "a, b"]
    write("labels", "lines", "\n".join(names).encode())
    write("labels", "csv", b'index,name\n0,tench\n1,"Stra\xc3\x9fe"\n2,"a, b"\n')
    write("labels", "list", json.dumps(names).encode())
    write("labels", "by_index", json.dumps(dict(enumerate(names))).encode())
    write("labels", "by_name", json.dumps({name: i for i, name in enumerate(names)}).encode())
    write("labels", "synsets", json.dumps({str(i): [f"n0{i}", name] for i, name in enumerate(names)}).encode())
    write("labels", "id2label", json.dumps({"id2label": dict(enumerate(names))}).encode())


def hdf5():
    infer = HERE.parent / "infer"
    write("hdf5_model", "parity", (infer / "parity_model.h5").read_bytes())
    write("hdf5_parity", "dump", (infer / "parity_dump.h5").read_bytes())
    pixels = np.arange(9 * 4 * 4 * 3, dtype=np.uint8).reshape(9, 4, 4, 3)
    picture = b"P6 1 1 255\nabc"
    for newest in (False, True):
        for packed in ({}, {"compression": "gzip", "shuffle": True}):
            out = io.BytesIO()
            with h5py.File(out, "w", libver="latest" if newest else "earliest") as f:
                f.attrs["format"], f.attrs["version"] = np.bytes_("vit-dataset"), np.bytes_("1")
                f["class_names"] = np.array([b"cat", b"dog"], dtype=h5py.string_dtype("utf-8", 8))
                f["train/labels"] = (np.arange(9) % 2).astype("<i4")
                f.create_dataset("train/images", data=pixels, chunks=(2, 4, 4, 3), fletcher32=True, **packed)
                f["test/labels"] = np.array([1, 0], "<i4")
                f["test/encoded"] = np.frombuffer(picture * 2, np.uint8)
                f["test/offsets"] = np.array([0, len(picture), 2 * len(picture)], "<i8")
            write("hdf5_data", f"{'newest' if newest else 'oldest'}{'_packed' * bool(packed)}", out.getvalue())


def configs():
    """What model files hold as text."""
    with h5py.File(HERE.parent / "infer" / "parity_model.h5") as f:
        for name in ("config", "preprocess"):
            write("model_json", name, f[name][0])
    for path in sorted((HERE.parent / "golden").glob("*.h5")):
        with h5py.File(path) as f:
            write("model_json", path.stem, json.dumps(json.loads(bytes(f["case"][:]))["config"]).encode())
    run = {"epochs": 3, "batch": 32, "lr": 0.001, "model": "vit_tiny6_patch4_32"}
    write("model_json", "run", json.dumps(run).encode())


def main():
    for make in (pictures, archives, arrays, tensors, imports, hdf5, configs):
        make()


if __name__ == "__main__":
    main()
