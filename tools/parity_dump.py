#!/usr/bin/env python3
"""Runs a published model in Python on some pictures and keeps what it computes, for `vit parity MODEL.h5 DUMP.h5`:

  parity_dump.py timm        NAME|DIR PICTURE... --output DUMP.h5     a name of timm, or a folder of save_for_hf
  parity_dump.py torchvision NAME     PICTURE... --output DUMP.h5     e.g. vit_b_16; --weights FILE for your own
  parity_dump.py hf          DIR|ID   PICTURE... --output DUMP.h5     a folder of save_pretrained, or a name of the hub

The dump (HDF5, docs/formats.md) holds the picture files, pixels after the eval transform, patch rows, tokens before the
first block, what leaves each block, the features that the classifier reads, logits, and the versions of all packages.
Needs torch, h5py, Pillow, and timm, torchvision or transformers. A few pictures are enough, of odd sizes at best.
"""
import argparse
import importlib.metadata
import json
import os
import sys

import h5py
import numpy as np
import torch
from PIL import Image

MOST_PICTURES = 64  # that vit parity reads
PACKAGES = ("torch", "timm", "torchvision", "transformers", "Pillow", "numpy", "h5py")


class Subject:
    """A model, the places in it that are looked at, and its eval transform: a picture of Pillow to [3, S, S]."""

    def __init__(self, model, transform, blocks, head=None, features=None, patch_size=None, about=None):
        self.model = model.float().eval()
        self.transform = transform
        self.blocks = list(blocks)
        self.heads = [h for h in (head if isinstance(head, (list, tuple)) else [head]) if h is not None]
        self.features = features  # from (model, pixels, output), where no head tells them
        self.patch_size = patch_size
        self.about = about or {}


# ---- where things are in other people's models ----

def timm_subject(model, about=None):
    import timm
    data = timm.data.resolve_data_config(model=model)
    transform = timm.data.create_transform(**data, is_training=False)
    patch = model.patch_embed.patch_size

    def features(model, pixels, output):
        return model.forward_head(model.forward_features(pixels), pre_logits=True)

    return Subject(model, transform, model.blocks, features=features,
                   patch_size=patch[0] if isinstance(patch, (tuple, list)) else patch,
                   about=dict(about or {}, transform=str(transform)))


def torchvision_subject(model, transform, about=None):
    return Subject(model, transform, model.encoder.layers, head=model.heads.head, patch_size=model.patch_size,
                   about=dict(about or {}, transform=str(transform)))


def list_of_blocks(tower):
    """The longest list of equal modules"""
    lists = [m for m in tower.modules() if isinstance(m, (torch.nn.ModuleList, torch.nn.Sequential)) and len(m) > 0
             and len({type(child) for child in m}) == 1 and any("att" in name for name, _ in m[0].named_modules())]
    if not lists:
        raise SystemExit(f"parity_dump: {type(tower).__name__} has no list of blocks that this script knows")
    return max(lists, key=len)


def hf_subject(model, processor, about=None):
    tower = getattr(model, "vision_model", model)
    heads = [getattr(model, name) for name in ("classifier", "cls_classifier", "distillation_classifier")
             if isinstance(getattr(model, name, None), torch.nn.Linear)]

    def features(model, pixels, output):
        # ViT's and DeiT's own pooler (a Linear and tanh) has no part in classification.
        plain = type(model).__name__ in ("ViTModel", "DeiTModel") or getattr(output, "pooler_output", None) is None
        return output.last_hidden_state[:, 0] if plain else output.pooler_output

    def transform(picture):
        return processor(picture, return_tensors="pt")["pixel_values"][0]

    config = getattr(model.config, "vision_config", model.config)
    forward = model if heads or tower is model else tower
    return Subject(forward, transform, list_of_blocks(tower), head=heads, features=features,
                   patch_size=config.patch_size,
                   about=dict(about or {}, transform=f"{type(processor).__name__} {processor.to_dict()}"))


# ---- one pass ----

def first_tensor(value):
    return value if isinstance(value, torch.Tensor) else first_tensor(value[0])


class Watch:
    """What goes into and comes out of modules while a model runs"""

    def __init__(self):
        self.seen, self.handles = {}, []

    def entering(self, module, name):
        def hook(_, args, kwargs):
            value = args[0] if args else kwargs.get("hidden_states", next(iter(kwargs.values()), None))
            self.seen.setdefault(name, first_tensor(value).detach().clone())
        self.handles.append(module.register_forward_pre_hook(hook, with_kwargs=True))

    def leaving(self, module, name):
        def hook(_, args, output):
            self.seen.setdefault(name, first_tensor(output).detach().clone())
        self.handles.append(module.register_forward_hook(hook))

    def stop(self):
        for handle in self.handles:
            handle.remove()


def logits_of(output):
    return output if isinstance(output, torch.Tensor) else getattr(output, "logits", None)


def patch_rows(pixels, size):
    """[n, patches, 3*P*P]: patches row by row, in a patch the channels, its rows, its columns"""
    return torch.nn.functional.unfold(pixels, size, stride=size).transpose(1, 2)


@torch.no_grad()
def run(subject, pictures):
    """The stages of all pictures, by their name in the dump"""
    pixels = torch.stack([subject.transform(p).float() for p in pictures])
    watch = Watch()
    watch.entering(subject.blocks[0], "tokens")
    for i, block in enumerate(subject.blocks):
        watch.leaving(block, f"blocks/{i}")
    for i, head in enumerate(subject.heads):
        watch.entering(head, f"head {i}")
    output = subject.model(pixels)
    watch.stop()
    stages = {"pixels": pixels}
    if subject.patch_size:
        stages["patch_rows"] = patch_rows(pixels, subject.patch_size)
    stages.update((name, value) for name, value in watch.seen.items() if not name.startswith("head "))
    read = [value for name, value in watch.seen.items() if name.startswith("head ")]
    if read:
        stages["features"] = torch.stack(read).mean(0)  # two heads: their logits are averaged, so are their inputs
    elif subject.features:
        stages["features"] = subject.features(subject.model, pixels, output)
    logits = logits_of(output)
    if logits is not None and (read or has_head(subject.model)):
        stages["logits"] = logits
    return {name: value.detach().float().numpy() for name, value in stages.items()}


def has_head(model):
    """A timm model without classes gives its features as output"""
    return getattr(model, "num_classes", 0) > 0


# ---- the file ----

def versions():
    found = {"python": sys.version.split()[0]}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            pass
    return found


def write(path, stages, files, about):
    encoded = [open(f, "rb").read() for f in files]
    offsets = np.cumsum([0] + [len(e) for e in encoded])
    metadata = dict(about, versions=versions(), pictures=[os.path.basename(f) for f in files])
    temporary = f"{path}.tmp-{os.getpid()}"
    with h5py.File(temporary, "w") as out:
        out.attrs["format"], out.attrs["version"] = np.bytes_("vit-parity"), np.bytes_("1")
        out["metadata"] = np.frombuffer(json.dumps(metadata, indent=1).encode(), np.uint8)
        out["pictures/encoded"] = np.frombuffer(b"".join(encoded), np.uint8)
        out["pictures/offsets"] = offsets.astype("<i8")
        for name, values in stages.items():
            out.create_dataset(name, data=values.astype("<f4"), compression="gzip", shuffle=True)
    os.replace(temporary, path)


def dump(subject, files, path):
    """Runs the model on the picture files and writes the dump"""
    if not 1 <= len(files) <= MOST_PICTURES:
        raise SystemExit(f"parity_dump: needs 1 to {MOST_PICTURES} pictures, has {len(files)}")
    pictures = []
    for file in files:
        with Image.open(file) as picture:
            pictures.append(picture.convert("RGB"))
    stages = run(subject, pictures)
    about = dict(subject.about, parameters=sum(p.numel() for p in subject.model.parameters()))
    write(path, stages, files, about)
    for name, values in stages.items():
        print(f"{name:<12} {' x '.join(map(str, values.shape))}")


# ---- the command ----

def open_timm(args):
    import timm
    source = f"local-dir:{args.model}" if os.path.isdir(args.model) else args.model
    own = dict(checkpoint_path=args.weights) if args.weights else dict(pretrained=True)
    model = timm.create_model(source, **(dict(pretrained=False) if args.random is not None else own))
    return timm_subject(model, about(args))


def open_torchvision(args):
    import torchvision
    known = torchvision.models.get_model_weights(args.model)
    chosen = known[args.transform] if args.transform else known.DEFAULT
    own = args.weights is not None or args.random is not None
    model = torchvision.models.get_model(args.model, weights=None if own else chosen)
    if args.weights:
        model.load_state_dict(read_weights(args.weights))
    return torchvision_subject(model, chosen.transforms(), about(args))


def open_hf(args):
    import transformers
    config = transformers.AutoConfig.from_pretrained(args.model)
    kind = getattr(transformers, (config.architectures or ["AutoModel"])[0], transformers.AutoModel)
    model = kind(config) if args.random is not None else kind.from_pretrained(args.model, dtype=torch.float32)
    processor = transformers.AutoImageProcessor.from_pretrained(args.model, backend=args.processor)
    return hf_subject(model, processor, about(args))


def read_weights(path):
    if path.endswith(".safetensors"):
        from safetensors.torch import load_file
        return load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True)


def about(args):
    return dict(source=args.source, model=os.path.basename(os.path.normpath(args.model)), random=args.random)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", choices=["timm", "torchvision", "hf"])
    parser.add_argument("model", help="name or folder")
    parser.add_argument("pictures", nargs="+", metavar="PICTURE")
    parser.add_argument("--output", required=True, metavar="DUMP.h5")
    parser.add_argument("--weights", metavar="FILE", help="timm, torchvision: a checkpoint of yours")
    parser.add_argument("--transform", metavar="WEIGHTS", help="torchvision: the weights whose eval transform counts, "
                        "e.g. IMAGENET1K_V1 (the default is the model's own)")
    parser.add_argument("--processor", default="pil", choices=["pil", "torchvision"],
                        help="hf: Pillow's resize, or torchvision's, which transformers takes where nothing is said")
    parser.add_argument("--random", type=int, metavar="SEED", help="drawn weights instead of the published ones")
    parser.add_argument("--force", action="store_true", help="overwrite the output")
    args = parser.parse_args()
    if os.path.exists(args.output) and not args.force:
        parser.error(f"{args.output} is there already; --force overwrites it")
    if args.random is not None:
        torch.manual_seed(args.random)
    subject = {"timm": open_timm, "torchvision": open_torchvision, "hf": open_hf}[args.source](args)
    dump(subject, args.pictures, args.output)


if __name__ == "__main__":
    main()
