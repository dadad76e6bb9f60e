#!/usr/bin/env python3
"""Writes tests/fuzz/corpus/TARGET/seed_*: small good files from which the fuzzers begin.

Usage: make_seeds.py build/release/bin/mutate_files
Needs: numpy pillow opencv-python-headless tifffile (as tests/preprocess/picture_variants.py)
"""
import gzip
import io
import json
import pathlib
import struct
import subprocess
import sys
import tarfile
import tempfile
import zipfile

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
    for mode in ("", "gz", "xz", "bz2"):
        for form in (tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
            out = io.BytesIO()
            with tarfile.open(fileobj=out, mode=f"w:{mode}", format=form) as tar:
                for name, data in files.items():
                    info = tarfile.TarInfo(name if form == tarfile.USTAR_FORMAT else "x" * 110 + "/" + name)
                    info.size = len(data)
                    tar.addfile(info, io.BytesIO(data))
                for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
                    link = tarfile.TarInfo(f"dog/link{kind.decode()}.png")
                    link.type, link.linkname = kind, "../cat/0.png" if kind == tarfile.SYMTYPE else "cat/0.png"
                    tar.addfile(link)
            if mode or form == tarfile.GNU_FORMAT:
                write("archive", f"tar{mode}_{form}", out.getvalue())
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", method) as archive:
            for name, data in files.items():
                archive.writestr(name.replace("/", "\\") if method else name, data)
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


def from_examples(program):
    """Files that the program itself writes, and those that others would."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([program, "--examples", folder], check=True)
        root = pathlib.Path(folder)
        for kind, target in (("model", "hdf5_model"), ("data", "hdf5_data"), ("foreign data", "hdf5_data"),
                             ("parity dump", "hdf5_parity")):
            for path in sorted((root / kind).iterdir()):
                write(target, f"{kind.replace(' ', '_')}_{path.stem}", path.read_bytes())
        config = json.loads((root / "run config" / "0.json").read_text())
        write("model_json", "run", json.dumps(config).encode())
        for name in ("model", "preprocess", "augment"):
            if isinstance(config.get(name), dict):
                write("model_json", name, json.dumps(config[name]).encode())


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    pictures()
    archives()
    arrays()
    tensors()
    imports()
    from_examples(sys.argv[1])


if __name__ == "__main__":
    main()
