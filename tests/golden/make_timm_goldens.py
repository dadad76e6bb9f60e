"""Goldens of models as timm, torchvision, Google and the authors of DINO publish them:
python make_timm_goldens.py OUT [CASE...]

Per case a folder as published (config.json and model.safetensors of timm's save_for_hf; weights alone of the others),
and expected.json: what timm or torchvision computes from each picture of OUT/pictures on, in double, and how the case
is imported. Weights are random and rounded to few bits, so that they pack well. Versions and seed stand in
expected.json. The pictures, the weights and their rounding are those of make_hub_goldens.py.
Needs torch, timm, torchvision, transformers, open_clip, safetensors, Pillow, numpy.
"""
import argparse
import json
import os
import re
import shutil
import zlib
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import timm
import torch
import torchvision
from PIL import Image
from safetensors.torch import save_file
from timm.data import create_transform, resolve_model_data_config
from timm.models import save_for_hf
from torchvision.models import VisionTransformer
from torchvision.transforms._presets import ImageClassification

from make_hub_goldens import SEED, SMALL_PICTURES, few_bits, make_pictures

NAMES = ["tench", "crane", "Straße", "king penguin, Aptenodytes patagonica", "zebra"]
SMALL = dict(img_size=16, patch_size=4, embed_dim=32, depth=2, num_heads=2, num_classes=5)


def draw(model, seed):
    """Values of few bits that leave no part of the network without a say."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in sorted(model.named_parameters()):
            noise = torch.randn(p.shape, generator=generator)
            step = 1 / 4 if p.ndim == 2 else 1 / 8
            if re.search(r"(norm[^.]*|ln_\d|encoder\.ln)\.weight$|gamma(_\d)?$", name):
                p.copy_(few_bits(1 + 0.25 * noise, step))
            elif p.ndim >= 2 and p.shape[0] > 1 and not re.search("pos|token|freqs", name):
                p.copy_(few_bits(noise * 1.5 / p[0].numel() ** 0.5, step))
            else:
                p.copy_(few_bits(0.4 * noise, step))
    return model.eval()


def outputs(model, transform, picture):
    with torch.no_grad():
        return model(transform(picture)[None].double())[0]


class Timm:
    """A folder of save_for_hf; `args` are its model_args. `cfg` changes the pretrained_cfg; `edit` the folder."""

    def __init__(self, architecture, cfg=None, edit=None, bare=False, options=None, **args):
        self.architecture, self.cfg, self.edit, self.bare = architecture, cfg or {}, edit, bare
        self.options = options or {}
        self.args = SMALL | args

    def make(self, folder, name):
        model = draw(timm.create_model(self.architecture, pretrained=False, **self.args), zlib.crc32(name.encode()))
        side = self.cfg.get("input_size", (3, self.args["img_size"], 0))[1]
        cfg = dict(model.pretrained_cfg, input_size=(3, side, side)) | self.cfg
        model.pretrained_cfg = cfg
        args = {k: v for k, v in self.args.items() if k != "num_classes"}
        labels = dict(label_names=NAMES) if model.num_classes == len(NAMES) else {}
        model.bfloat16()  # which holds them as they are
        save_for_hf(model, folder, model_args=args, model_config=dict(pretrained_cfg=cfg, **labels),
                    safe_serialization=True)
        if self.edit:
            self.edit(folder, model)
        if self.bare:
            (folder / "config.json").unlink()
        transform = create_transform(**resolve_model_data_config(model), is_training=False)
        reference = timm.create_model(self.architecture, pretrained=False, **self.args).eval()
        reference.load_state_dict(model.state_dict())
        reference.double()  # all but tables of angles, which are as fp32 has them
        return (lambda p: outputs(reference, transform, p)), sum(p.numel() for p in model.parameters()), self.options


class Torchvision:
    def __init__(self, old_names=False, resized=None, **args):
        self.old_names, self.resized = old_names, resized
        self.args = dict(image_size=28, patch_size=7, num_layers=2, num_heads=1, hidden_dim=48, mlp_dim=96,
                         num_classes=5) | args

    def make(self, folder, name):
        model = draw(VisionTransformer(**self.args), zlib.crc32(name.encode()))
        tensors = {k: v.bfloat16() for k, v in model.state_dict().items()}
        side = self.resized or self.args["image_size"]
        if self.resized:
            state = torchvision.models.vision_transformer.interpolate_embeddings(
                side, 7, dict(model.double().state_dict()))
            model = VisionTransformer(**self.args | dict(image_size=side)).eval()
            model.load_state_dict(state)
        if self.old_names:
            tensors = {k.replace("mlp.0.", "mlp.linear_1.").replace("mlp.3.", "mlp.linear_2."): v
                       for k, v in tensors.items()}
        folder.mkdir(parents=True)
        save_file(tensors, folder / "model.safetensors")
        resize = side * 256 // 224
        transform = ImageClassification(crop_size=side, resize_size=resize)
        model.double()
        options = dict(preprocess="torchvision-vit-b16") | (dict(image_size=side) if self.resized else {})
        return (lambda p: outputs(model, transform, p)), sum(p.numel() for p in model.parameters()), options


def google_arrays(model, big_vision, stacked, prefix):
    """timm's weights in the names and layouts of Google's files."""
    m, depth = model, len(model.blocks)
    heads = m.blocks[0].attn.num_heads
    width = m.embed_dim
    size = width // heads
    a = {}
    a["embedding/kernel"] = m.patch_embed.proj.weight.permute(2, 3, 1, 0)
    a["embedding/bias"] = m.patch_embed.proj.bias
    if m.cls_token is not None:
        a["cls"] = m.cls_token
    a["pos_embedding" if big_vision else "Transformer/posembed_input/pos_embedding"] = m.pos_embed
    a["Transformer/encoder_norm/scale"], a["Transformer/encoder_norm/bias"] = m.norm.weight, m.norm.bias
    a["head/kernel"], a["head/bias"] = m.head.weight.T, m.head.bias
    mha, mlp, ln2 = (0, 0, 1) if big_vision else (1, 3, 2)

    def attention(place, q, k, v, proj):
        for part, (w, b) in dict(query=q, key=k, value=v).items():
            a[f"{place}/{part}/kernel"] = w.T.reshape(width, heads, size)
            a[f"{place}/{part}/bias"] = b.reshape(heads, size)
        a[f"{place}/out/kernel"] = proj.weight.T.reshape(heads, size, width)
        a[f"{place}/out/bias"] = proj.bias

    for i, block in enumerate(m.blocks):
        b = f"Transformer/encoderblock_{i}"
        attention(f"{b}/MultiHeadDotProductAttention_{mha}",
                  *zip(block.attn.qkv.weight.chunk(3), block.attn.qkv.bias.chunk(3)), block.attn.proj)
        for norm, layer in ((0, block.norm1), (ln2, block.norm2)):
            a[f"{b}/LayerNorm_{norm}/scale"], a[f"{b}/LayerNorm_{norm}/bias"] = layer.weight, layer.bias
        for r, layer in enumerate((block.mlp.fc1, block.mlp.fc2)):
            dense = f"{b}/MlpBlock_{mlp}/Dense_{r}"
            a[f"{dense}/kernel"], a[f"{dense}/bias"] = layer.weight.T, layer.bias
    if m.attn_pool is not None:
        pool = m.attn_pool
        kv = list(zip(pool.kv.weight.chunk(2), pool.kv.bias.chunk(2)))
        attention("MAPHead_0/MultiHeadDotProductAttention_0", (pool.q.weight, pool.q.bias), *kv, pool.proj)
        a["MAPHead_0/probe"] = pool.latent
        a["MAPHead_0/LayerNorm_0/scale"], a["MAPHead_0/LayerNorm_0/bias"] = pool.norm.weight, pool.norm.bias
        for r, layer in enumerate((pool.mlp.fc1, pool.mlp.fc2)):
            a[f"MAPHead_0/MlpBlock_0/Dense_{r}/kernel"] = layer.weight.T
            a[f"MAPHead_0/MlpBlock_0/Dense_{r}/bias"] = layer.bias
    if stacked:
        for key in [k for k in a if k.startswith("Transformer/encoderblock_0/")]:
            names = [key.replace("_0/", f"_{i}/", 1) for i in range(depth)]
            a[key.replace("encoderblock_0/", "encoderblock/", 1)] = torch.stack([a.pop(n) for n in names])
    return {prefix + k: v.detach().contiguous().numpy() for k, v in a.items()}


class Google:
    def __init__(self, big_vision=False, stacked=False, prefix="", resized=None, **args):
        self.big_vision, self.stacked, self.prefix, self.resized = big_vision, stacked, prefix, resized
        self.args = SMALL | args

    def make(self, folder, name):
        model = draw(timm.create_model("vit_tiny_patch16_224", **self.args), zlib.crc32(name.encode()))
        folder.mkdir(parents=True)
        arrays = google_arrays(model, self.big_vision, self.stacked, self.prefix)
        np.savez_compressed(folder / "weights.npz", **arrays)
        side = self.resized or 16
        read = timm.create_model("vit_tiny_patch16_224", **self.args | dict(img_size=side)).eval()
        with torch.no_grad():
            read.load_pretrained(folder / "weights.npz")  # timm's own reader is the reference
        cfg = dict(input_size=(3, side, side), mean=(.5,) * 3, std=(.5,) * 3, crop_pct=0.9, interpolation="bicubic")
        transform = create_transform(**timm.data.resolve_data_config(pretrained_cfg=cfg), is_training=False)
        read.double()
        options = dict(file="weights.npz", preprocess="timm-inception") | (
            dict(image_size=side) if self.resized else {})
        return (lambda p: outputs(read, transform, p)), sum(p.numel() for p in read.parameters()), options


def interpolated(table, side, antialias, offset):
    """The position table [1, 1 + g*g, D] as DINOv2's own code resizes it."""
    grid = int((table.shape[1] - 1) ** 0.5)
    places = table[:, 1:].reshape(1, grid, grid, -1).permute(0, 3, 1, 2)
    size = dict(scale_factor=((side + offset) / grid,) * 2) if offset else dict(size=(side, side))
    places = torch.nn.functional.interpolate(places, mode="bicubic", antialias=antialias, **size)
    assert places.shape[-1] == side
    return torch.cat([table[:, :1], places.permute(0, 2, 3, 1).flatten(1, 2)], 1)


class DinoV2:
    """DINOv2's own names; timm's model, to which its weights are brought as timm does it, is the reference."""

    def __init__(self, registers=0, gated=False, chunks=False, head_layers=None, side=4):
        self.registers, self.gated, self.chunks = registers, gated, chunks
        self.head_layers, self.side = head_layers, side

    def make(self, folder, name):
        arch = f"vit_{'giant' if self.gated else 'small'}_patch14{'_reg4' if self.registers else ''}_dinov2"
        args = dict(img_size=28, patch_size=7, embed_dim=64, depth=4 if self.head_layers == 4 else 2, num_heads=1,
                    mlp_ratio=1, num_classes=0)
        if self.registers:
            args["reg_tokens"] = self.registers
        model = draw(timm.create_model(arch, **args), zlib.crc32(name.encode()))
        grid, width = 4, 64
        generator = torch.Generator().manual_seed(zlib.crc32(name.encode()) + 1)
        table = few_bits(torch.randn(1, grid * grid + 1, width, generator=generator) * 0.4, 1 / 8)
        state = {k: v.clone() for k, v in model.state_dict().items()}
        theirs = dict(state, pos_embed=table, mask_token=torch.zeros(1, width))
        if self.registers:
            theirs["register_tokens"] = theirs.pop("reg_token")
        if self.gated:
            theirs = {k.replace("mlp.fc1", "mlp.w12").replace("mlp.fc2", "mlp.w3"): v for k, v in theirs.items()}
        if self.chunks:  # block i lies in chunk i // 2
            theirs = {re.sub(r"^blocks\.(\d+)", lambda m: f"blocks.{int(m[1]) // 2}.{m[1]}", k): v
                      for k, v in theirs.items()}
        folder.mkdir(parents=True)
        save_file({k: v.bfloat16() for k, v in theirs.items()}, folder / "model.safetensors")
        head = None
        if self.head_layers is not None:
            columns = (self.head_layers + 1) * width
            head = dict(weight=few_bits(torch.randn(5, columns, generator=generator) / 4, 1 / 16),
                        bias=few_bits(torch.randn(5, generator=generator) / 4, 1 / 16))
            save_file(head, folder / "head.safetensors")

        reference = timm.create_model(arch, **args | dict(img_size=7 * self.side)).eval().double()
        if self.side != grid:
            table = interpolated(table.double(), self.side, bool(self.registers), 0 if self.registers else 0.1)
        state["pos_embed"] = table
        if self.registers:
            state["cls_token"] = state["cls_token"] + table[:, :1]
            state["pos_embed"] = table[:, 1:]
        reference.load_state_dict(state)
        pixels = 7 * self.side
        cfg = dict(input_size=(3, pixels, pixels), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225),
                   crop_pct=pixels / (pixels * 256 // 224), interpolation="bicubic")
        transform = create_transform(**timm.data.resolve_data_config(pretrained_cfg=cfg), is_training=False)

        def compute(picture):
            x = transform(picture)[None].double()
            with torch.no_grad():
                if head is None:
                    return reference(x)[0]
                layers = reference.forward_intermediates(x, indices=self.head_layers, return_prefix_tokens=True,
                                                         norm=True, output_fmt="NLC", intermediates_only=True)
                features = torch.cat([prefix[0, 0] for _, prefix in layers] + [layers[-1][0][0].mean(0)])
                return head["weight"].double() @ features + head["bias"].double()
        options = dict(preprocess="dinov2") | (dict(image_size=pixels) if self.side != grid else {}) | (
            dict(head="head.safetensors") if head else {})
        return compute, sum(v.numel() for v in state.values()), options


def native_dinov3(folder, model):
    """Weights of timm in the names of their authors."""
    tensors = {}
    for key, value in model.state_dict().items():
        key = key.replace("gamma_1", "ls1.gamma").replace("gamma_2", "ls2.gamma").replace("reg_token", "storage_tokens")
        key = key.replace("mlp.fc1_g", "mlp.w1").replace("mlp.fc1_x", "mlp.w2")
        if "fc1_g" in "".join(model.state_dict()):
            key = key.replace("mlp.fc2", "mlp.w3")
        tensors[key] = value.contiguous()
    width = model.embed_dim
    for i in range(len(model.blocks)):
        q, v = tensors.pop(f"blocks.{i}.attn.q_bias"), tensors.pop(f"blocks.{i}.attn.v_bias")
        tensors[f"blocks.{i}.attn.qkv.bias"] = torch.cat([q, torch.full_like(q, 0.5), v])  # which the mask takes away
        mask = torch.ones(3 * width)
        mask[width:2 * width] = 0
        tensors[f"blocks.{i}.attn.qkv.bias_mask"] = mask
    head_size = width // model.blocks[0].attn.num_heads
    tensors["rope_embed.periods"] = 100 ** (torch.arange(head_size // 4) / (head_size // 4))
    tensors["mask_token"] = torch.zeros(1, width)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def wrapped(prefix):
    """A trainer's checkpoint: names with something in front, a patch projection that is flat, layers of old files."""
    def edit(folder, model):
        tensors = {prefix + k: v.contiguous() for k, v in model.state_dict().items()}
        weight = tensors[prefix + "patch_embed.proj.weight"]
        tensors[prefix + "patch_embed.proj.weight"] = weight.reshape(weight.shape[0], -1)
        tensors[prefix + "pre_logits.fc.weight"] = torch.eye(model.embed_dim)
        save_file(tensors, folder / "model.safetensors")
    return edit


def deit3_names(folder, model):
    tensors = {k.replace("ls1.gamma", "gamma_1").replace("ls2.gamma", "gamma_2"): v.contiguous()
               for k, v in model.state_dict().items()}
    save_file(tensors, folder / "model.safetensors")


def cases():
    timm_default = dict(crop_pct=0.875, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), interpolation="bicubic")
    return {
        # VisionTransformer
        "timm_token": Timm("vit_tiny_patch16_224"),
        "timm_bilinear_black": Timm("vit_base_patch16_224_miil", qkv_bias=False),
        "timm_mean": Timm("vit_medium_patch16_gap_256"),
        "timm_registers": Timm("vit_wee_patch16_reg1_gap_256"),
        "timm_registers_four": Timm("vit_little_patch16_reg4_gap_256"),
        "timm_so150m": Timm("vit_so150m_patch16_reg4_gap_256"),
        "timm_so150m2": Timm("vit_so150m2_patch16_reg1_gap_256"),
        "timm_so150m_map": Timm("vit_so150m_patch16_reg4_map_256"),
        "timm_no_final_norm": Timm("vit_tiny_patch16_224", final_norm=False, init_values=0.5),
        "timm_qk_norm": Timm("vit_tiny_patch16_224", qk_norm=True, fc_norm=True),
        "timm_rms": Timm("test_vit4", embed_dim=32),
        "timm_map_prefix": Timm("test_vit3", embed_dim=32, num_heads=1),
        "timm_clip": Timm("vit_base_patch32_clip_224", num_classes=7),
        "timm_clip_quickgelu": Timm("vit_base_patch32_clip_quickgelu_224", cfg=dict(crop_mode="squash")),
        "timm_siglip": Timm("vit_base_patch16_siglip_224"),
        "timm_siglip2": Timm("vit_base_patch32_siglip_256", cfg=dict(crop_mode="border")),
        "timm_siglip_mean": Timm("vit_so400m_patch16_siglip_gap_256", num_classes=0),
        "timm_beit3": Timm("beit3_base_patch16_224"),
        "timm_aimv2": Timm("aimv2_large_patch14_224", num_heads=1),
        "timm_deit": Timm("deit_tiny_patch16_224", edit=wrapped("model.module.")),
        "timm_deit_distilled": Timm("deit_tiny_distilled_patch16_224"),
        "timm_deit3": Timm("deit3_small_patch16_224"),
        "timm_deit3_authors": Timm("deit3_small_patch16_224", edit=deit3_names),
        "timm_dinov2": Timm("vit_small_patch14_dinov2", num_classes=0),
        "timm_dinov2_gated": Timm("vit_giant_patch14_reg4_dinov2", num_classes=3),
        "timm_dynamic": Timm("vit_tiny_patch16_224", cfg=dict(input_size=(3, 24, 24)), dynamic_img_size=True),
        "timm_bare": Timm("vit_tiny_patch16_224", bare=True, cfg=timm_default, embed_dim=64, num_heads=1, mlp_ratio=1),
        # Eva
        "timm_eva": Timm("eva_giant_patch14_224"),
        "timm_eva02": Timm("eva02_tiny_patch14_336"),
        "timm_eva02_split": Timm("eva02_base_patch14_448"),
        "timm_eva02_clip": Timm("eva02_base_patch16_clip_224"),
        "timm_dinov3": Timm("vit_small_patch16_dinov3", global_pool="token"),
        "timm_dinov3_qkvb": Timm("vit_small_patch16_dinov3_qkvb"),
        "timm_dinov3_plus": Timm("vit_small_plus_patch16_dinov3"),
        "timm_rope_registers": Timm("vit_medium_patch16_rope_reg1_gap_256"),
        "timm_rope_axial": Timm("vit_small_patch16_rope_224"),
        "timm_rope_axial_positions": Timm("vit_small_patch16_rope_ape_224"),
        "timm_rope_mixed": Timm("vit_small_patch16_rope_mixed_224"),
        "timm_rope_mixed_positions": Timm("vit_small_patch16_rope_mixed_ape_224"),
        "timm_pe_core": Timm("vit_pe_core_base_patch16_224"),
        "timm_pe_spatial": Timm("vit_pe_spatial_base_patch16_512"),
        # others
        "torchvision": Torchvision(hidden_dim=64),
        "torchvision_old": Torchvision(old_names=True),
        "torchvision_resized": Torchvision(resized=42),
        "google": Google(),
        "google_resized": Google(resized=24, prefix="opt/target/"),
        "google_big_vision": Google(big_vision=True, prefix="params/", no_embed_class=True),
        "google_stacked_map": Google(big_vision=True, stacked=True, prefix="params/img/", class_token=False,
                                     global_pool="map"),
        "dinov2": DinoV2(),
        "dinov2_registers": DinoV2(registers=4, chunks=True),
        "dinov2_gated": DinoV2(gated=True),
        "dinov2_resized": DinoV2(side=3),
        "dinov2_registers_resized": DinoV2(registers=4, side=3),
        "dinov2_head": DinoV2(head_layers=1),
        "dinov2_head_layers": DinoV2(head_layers=4, registers=4),
        "dinov3": Timm("vit_small_patch16_dinov3_qkvb", edit=native_dinov3, bare=True, global_pool="token",
                       num_classes=0,
                       options=dict(image_size=16, preprocess="timm-dinov3")),
        "dinov3_gated": Timm("vit_small_plus_patch16_dinov3_qkvb", edit=native_dinov3, bare=True, global_pool="token",
                             num_classes=0,
                             options=dict(image_size=16, preprocess="timm-dinov3")),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("cases", nargs="*")
    args = parser.parse_args()
    torch.set_num_threads(1)
    make_pictures(args.out / "pictures", SMALL_PICTURES)
    for name, case in cases().items():
        if args.cases and name not in args.cases:
            continue
        folder = args.out / name
        shutil.rmtree(folder, ignore_errors=True)
        compute, parameters, options = case.make(folder, name)
        pictures = sorted((args.out / "pictures").iterdir())
        expected = {p.name: [float(f"{v:.8g}") for v in compute(Image.open(p).convert("RGB")).tolist()]
                    for p in pictures}
        about = dict(seed=SEED, parameters_of_source=parameters, torch=torch.__version__.split("+")[0],
                     timm=timm.__version__, torchvision=torchvision.__version__.split("+")[0])
        (folder / "expected.json").write_text(
            json.dumps(dict(outputs=expected, options=options, made_with=about), ensure_ascii=False) + "\n")
        spread = np.array(list(expected.values()))
        size = sum(f.stat().st_size for f in folder.iterdir())
        print(f"{name:28} outputs {spread.shape[1]:5}, largest {abs(spread).max():.3g}, "
              f"between pictures {spread.std(0).mean():.3g}, {size >> 10} KiB", flush=True)


if __name__ == "__main__":
    main()
