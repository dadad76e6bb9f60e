"""Goldens of models as Hugging Face's transformers and open_clip publish them: python make_hub_goldens.py OUT [CASE...]

Per case a folder as the package's own save function writes it (config, weights, preprocessor), and expected.json: what
the package computes from each picture of OUT/pictures on, with its Pillow processors, in double. Weights are random and
rounded to few bits, so that they pack well. Versions and seed stand in expected.json.
With --published the sizes that are published, with the package's own random weights and larger pictures (not for the
repository: hundreds of megabytes each). --check VIT imports and classifies with that program, and compares.
Needs torch, transformers, open_clip, timm, safetensors, Pillow, numpy, h5py.
"""
import argparse
import json
import os
import shutil
import subprocess
import time
import zlib
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import h5py
import numpy as np
import open_clip
import timm
import torch
import transformers
from open_clip.model import CLIP, CustomTextCLIP
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from safetensors.torch import save_file
from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.deit.image_processing_pil_deit import DeiTImageProcessorPil
from transformers.models.dinov3_vit.image_processing_dinov3_vit import DINOv3ViTImageProcessor
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

SEED = 20251125
NAMES = ["tench", "crane", "crane (bird)", "Straße", "king penguin, Aptenodytes patagonica", "zebra", "maillot"]
IMAGENET = dict(image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225])

# width 32, two blocks, pictures of 32 pixels in patches of 8
SIZES = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48, image_size=32,
             patch_size=8)
NO_MLP = {k: v for k, v in SIZES.items() if k != "intermediate_size"}  # of those that have mlp_ratio
TEXT = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, vocab_size=10,
            max_position_embeddings=4)
LABELS = dict(id2label=dict(enumerate(NAMES)), label2id={n: i for i, n in enumerate(NAMES)})


# ---- weights and pictures ----

def few_bits(x, step):
    return (x / step).round().clamp(-127, 127) * step


def draw(model, seed):
    """Values of few bits that leave no part of the network without a say."""
    generator = torch.Generator().manual_seed(seed)
    norms = (torch.nn.LayerNorm, transformers.models.aimv2.modeling_aimv2.Aimv2RMSNorm)
    scales = {f"{name}.weight" for name, module in model.named_modules() if isinstance(module, norms)}
    with torch.no_grad():
        for name, p in sorted(model.named_parameters()):
            noise = torch.randn(p.shape, generator=generator)
            if name in scales or name.endswith(("lambda1", "gamma")):
                p.copy_(few_bits(1 + 0.25 * noise, 1 / 16))
            elif p.ndim >= 2 and p.shape[0] > 1 and "position" not in name and "token" not in name:
                p.copy_(few_bits(noise * 1.5 / p[0].numel() ** 0.5, 1 / 64))
            else:
                p.copy_(few_bits(0.4 * noise, 1 / 32))
    return model.eval()


def make_pictures(folder, sizes):
    """Smooth with some noise: odd sizes, larger and smaller than what the models take; RGB, gray, palette, alpha."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (width, height), mode in sizes:
        random = np.random.default_rng(zlib.crc32(name.encode()))
        y, x = np.mgrid[0:height, 0:width]
        waves = [np.sin(x / width * random.uniform(2, 9) + y / height * random.uniform(2, 9) + random.uniform(0, 6))
                 for _ in range(3)]
        rgb = 128 + 100 * np.stack(waves, -1) + random.integers(-12, 13, (height, width, 3)) // 8 * 8
        picture = Image.fromarray(np.clip(rgb, 0, 255).astype(np.uint8))
        if mode == "RGBA":
            picture.putalpha(Image.fromarray((x * 255 // width).astype(np.uint8)))
        elif mode == "P":
            picture = picture.quantize(32)
        elif mode != "RGB":
            picture = picture.convert(mode)
        picture.save(folder / name, optimize=True)


SMALL_PICTURES = [("wide.png", (61, 43), "RGB"), ("tall.png", (23, 47), "L"), ("small.png", (19, 13), "RGBA"),
                  ("palette.png", (57, 90), "P")]
LARGE_PICTURES = [("wide.png", (500, 375), "RGB"), ("tall.png", (333, 501), "L"), ("small.png", (119, 91), "RGBA"),
                  ("palette.png", (257, 390), "P")]


# ---- what a package computes ----

def pixels_of(processor, picture):
    out = processor(images=picture, return_tensors="pt")["pixel_values"]
    return torch.as_tensor(out, dtype=torch.float64)


def logits(output):
    return output.logits


def pooled(output):
    return output.pooler_output


def normed_class_token(output):
    return output.last_hidden_state[:, 0]


def normed_mean(output):
    return output.last_hidden_state.mean(1)


def image_embeds(output):
    return output.image_embeds


class Case:
    """A model of transformers: class, fields of its config, processor; what of its output is compared. `rename` gives
    the file the names of others."""

    def __init__(self, model, config, processor, read=logits, resized=False, new_names=False, dtype=torch.bfloat16,
                 run=None, rename=None):
        self.__dict__.update(locals())

    def make(self, folder, name, published):
        model = self.model(self.config)
        if published:
            torch.manual_seed(SEED)
            model = self.model(self.config).eval()
            dtype = torch.float32
        else:
            draw(model, zlib.crc32(name.encode()) ^ SEED)
            dtype = self.dtype
        model.to(dtype).save_pretrained(folder, save_original_format=not self.new_names)
        self.processor.save_pretrained(folder)
        drawn = model.state_dict()
        model = self.model.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager")
        for key, value in model.state_dict().items():
            assert torch.equal(value, drawn[key].double()), f"{name}: {key} was not read as it was written"
        if self.rename:
            self.rename(folder)
        if self.model.__name__.startswith("DINOv3"):
            model.rope_embeddings.inv_freq = model.rope_embeddings.inv_freq.float()
        call = dict(interpolate_pos_encoding=True) if self.resized else {}
        run = self.run or (lambda m, x: m(pixel_values=x, **call))

        def compute(picture):
            with torch.no_grad():
                return self.read(run(model, pixels_of(self.processor, picture)))[0]
        return compute, sum(p.numel() for p in model.parameters())


class OpenClip:
    """A model of open_clip: model_cfg of open_clip_config.json; `bare`: the weights alone, as OpenAI's file has them."""

    def __init__(self, model_cfg, custom_text=False, bare=False, preprocess=None, visual=None):
        self.__dict__.update(locals())

    def make(self, folder, name, published):
        torch.manual_seed(SEED)
        cfg = {k: v for k, v in self.model_cfg.items() if k != "custom_text"}
        build = CustomTextCLIP if self.model_cfg.get("custom_text") else CLIP
        model = build(**cfg) if self.visual is None else self.visual(cfg, build)
        model.eval()
        if not published:
            draw(model, zlib.crc32(name.encode()) ^ SEED)
            model.to(torch.bfloat16)
        folder.mkdir(parents=True)
        tensors = {k: v.contiguous() for k, v in model.state_dict().items()}
        size = self.model_cfg["vision_cfg"].get("image_size", 224)
        preprocess = PreprocessCfg(size=size, **(self.preprocess or {}))
        if self.bare:
            for key, value in (("input_resolution", size), ("context_length", 4), ("vocab_size", 10)):
                tensors[key] = torch.tensor(value)
            save_file(tensors, folder / "model.safetensors")
        else:
            save_file(tensors, folder / "open_clip_model.safetensors")
            stored = {"mean": list(preprocess.mean), "std": list(preprocess.std),
                      "interpolation": preprocess.interpolation, "resize_mode": preprocess.resize_mode}
            (folder / "open_clip_config.json").write_text(
                json.dumps({"model_cfg": self.model_cfg, "preprocess_cfg": stored}, indent=2))
        transform = image_transform_v2(preprocess, is_train=False)
        model.double()

        def compute(picture):
            with torch.no_grad():
                return model.encode_image(transform(picture)[None].double())[0]
        return compute, sum(p.numel() for p in model.parameters())


def small_timm_tower(cfg, build):
    """timm names its towers by published sizes; a small one of the same kind takes its place."""
    published = timm.create_model
    small = dict(embed_dim=32, depth=2, num_heads=1, mlp_ratio=1.5, patch_size=8, img_size=32)  # heads by the width
    timm.create_model = lambda name, **kw: published(name, **(kw | small))
    try:
        return build(**cfg)
    finally:
        timm.create_model = published


# ---- cases ----

def small_cases():
    t = transformers
    vit = lambda **kw: ViTImageProcessorPil(**(dict(size=dict(height=32, width=32)) | kw))
    deit = DeiTImageProcessorPil(size=dict(height=38, width=38), crop_size=dict(height=32, width=32), **IMAGENET)
    bit = lambda size, crop: BitImageProcessorPil(size=dict(shortest_edge=size), crop_size=dict(height=crop, width=crop),
                                                  **IMAGENET)
    clip = CLIPImageProcessorPil(size=dict(shortest_edge=32), crop_size=dict(height=32, width=32))
    siglip = SiglipImageProcessorPil(size=dict(height=32, width=32))
    dinov3 = DINOv3ViTImageProcessor(size=dict(height=32, width=32))
    dino = dict(NO_MLP, image_size=56, patch_size=14)
    clip_text = dict(TEXT, projection_dim=24)
    clip_config = dict(vision_config=SIZES, text_config=clip_text, projection_dim=24)
    siglip_config = dict(vision_config=SIZES, text_config=TEXT)

    def older_clip_names(folder):  # of transformers 4: the tower with its prefix, and a buffer of places
        from safetensors.torch import load_file
        tensors = load_file(folder / "model.safetensors")
        tensors = {"vision_model." + k: v for k, v in tensors.items()}
        tensors["vision_model.embeddings.position_ids"] = torch.arange(17)[None]
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})

    def authors_aimv2_names(folder):
        from safetensors.torch import load_file
        old = load_file(folder / "model.safetensors")
        layers = sorted({k.split(".")[2] for k in old if k.startswith("encoder.layers.")})
        for layer in layers:
            parts = [old.pop(f"encoder.layers.{layer}.attention.{p}_proj.weight") for p in "qkv"]
            old[f"encoder.layers.{layer}.attn.qkv.weight"] = torch.cat(parts)
        names = [("embeddings.patch_embed", "preprocessor.patchifier.proj"), ("encoder.layers", "trunk.blocks"),
                 ("embeddings.rms_norm", "preprocessor.patchifier.norm"), ("attention.out_proj", "attn.proj"),
                 ("embeddings.position_embedding.weight", "preprocessor.pos_embed"), ("rms_norm1", "norm_1"),
                 ("rms_norm2", "norm_2"), ("ffn.gate_proj", "mlp.fc1"), ("ffn.up_proj", "mlp.fc3"),
                 ("ffn.down_proj", "mlp.fc2"), ("rms_norm.", "trunk.post_trunk_norm.")]
        tensors = {}
        for key, value in old.items():
            for theirs, original in names:
                key = key.replace(theirs, original)
            tensors[key] = value[None] if key.endswith("pos_embed") else value
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})

    image_features = lambda m, x: m.get_image_features(pixel_values=x)
    open_clip_text = dict(context_length=4, vocab_size=10, width=16, heads=2, layers=1)
    open_clip_vision = dict(image_size=32, layers=2, width=32, head_width=8, patch_size=8, mlp_ratio=1.5)
    return {
        "hf_vit": Case(t.ViTForImageClassification, t.ViTConfig(**SIZES, **LABELS), vit(), dtype=torch.float32),
        "hf_vit_new_names": Case(
            t.ViTForImageClassification,
            t.ViTConfig(**dict(SIZES, num_attention_heads=2), qkv_bias=False, hidden_act="gelu_new", num_labels=5,
                        layer_norm_eps=1e-3), vit(resample=3, **IMAGENET), new_names=True, dtype=torch.float16),
        "hf_vit_features": Case(t.ViTModel, t.ViTConfig(**SIZES), vit(), normed_class_token),
        "hf_vit_resized": Case(t.ViTForImageClassification, t.ViTConfig(**SIZES, num_labels=5),
                               vit(size=dict(height=48, width=48)), resized=True),
        "hf_deit_distilled": Case(t.DeiTForImageClassificationWithTeacher, t.DeiTConfig(**SIZES, num_labels=5), deit),
        "hf_deit_one_head": Case(t.DeiTForImageClassification, t.DeiTConfig(**SIZES, num_labels=5), deit,
                                 new_names=True),
        "hf_msn": Case(t.ViTMSNForImageClassification, t.ViTMSNConfig(**SIZES, num_labels=5), vit(**IMAGENET)),
        "hf_ijepa": Case(t.IJepaForImageClassification, t.IJepaConfig(**SIZES, num_labels=5), vit(**IMAGENET)),
        "hf_dinov2": Case(t.Dinov2ForImageClassification, t.Dinov2Config(**dino, mlp_ratio=2, num_labels=5),
                          bit(48, 42)),
        "hf_dinov2_swiglu": Case(t.Dinov2Model, t.Dinov2Config(**dino, mlp_ratio=2, use_swiglu_ffn=True), bit(56, 56),
                                 pooled),
        "hf_dinov2_registers": Case(t.Dinov2WithRegistersForImageClassification,
                                    t.Dinov2WithRegistersConfig(**dino, mlp_ratio=2, num_register_tokens=3,
                                                                num_labels=5), bit(48, 42)),
        "hf_dinov2_registers_new_names": Case(
            t.Dinov2WithRegistersForImageClassification,
            t.Dinov2WithRegistersConfig(**dino, mlp_ratio=2, num_register_tokens=2, use_swiglu_ffn=True, num_labels=5),
            bit(64, 56), new_names=True),
        "hf_dinov3": Case(t.DINOv3ViTModel, t.DINOv3ViTConfig(**SIZES, num_register_tokens=2), dinov3, pooled),
        "hf_dinov3_gated": Case(t.DINOv3ViTModel,
                                t.DINOv3ViTConfig(**SIZES, num_register_tokens=4, use_gated_mlp=True, hidden_act="silu",
                                                  rope_theta=50.0), dinov3, pooled, new_names=True),
        "hf_clip_features": Case(t.CLIPVisionModel, t.CLIPVisionConfig(**SIZES), clip, pooled, rename=older_clip_names),
        "hf_clip_projection": Case(t.CLIPVisionModelWithProjection,
                                   t.CLIPVisionConfig(**SIZES, projection_dim=24, hidden_act="gelu"), clip,
                                   image_embeds),
        "hf_clip": Case(t.CLIPModel, t.CLIPConfig(**clip_config), clip, pooled, run=image_features),
        "hf_clip_classifier": Case(t.CLIPForImageClassification, t.CLIPConfig(**clip_config, num_labels=5), clip),
        "hf_siglip_features": Case(t.SiglipVisionModel, t.SiglipVisionConfig(**SIZES), siglip, pooled),
        "hf_siglip": Case(t.SiglipModel, t.SiglipConfig(**siglip_config), siglip, pooled, run=image_features),
        "hf_siglip_classifier": Case(t.SiglipForImageClassification, t.SiglipConfig(**siglip_config, num_labels=5),
                                     siglip),
        "hf_siglip_trimmed": Case(  # as so400m of 384 pixels: patches do not fill the picture
            t.SiglipVisionModel, t.SiglipVisionConfig(**dict(SIZES, image_size=37)),
            SiglipImageProcessorPil(size=dict(height=37, width=37)), pooled),
        "hf_aimv2": Case(t.Aimv2VisionModel, t.Aimv2VisionConfig(**SIZES, use_head=False), clip, normed_mean),
        "hf_aimv2_native": Case(t.Aimv2VisionModel, t.Aimv2VisionConfig(**SIZES, is_native=True, use_head=False), clip,
                                normed_mean),
        "aimv2": Case(t.Aimv2VisionModel, t.Aimv2VisionConfig(**SIZES, use_head=False), clip, normed_mean,
                      rename=authors_aimv2_names),
        "open_clip": OpenClip(dict(embed_dim=24, vision_cfg=open_clip_vision, text_cfg=open_clip_text)),
        "open_clip_pooled": OpenClip(  # as CLIPA: no norm in front, mean, the norm behind it; a text tower of its own
            dict(embed_dim=24, quick_gelu=True, custom_text=True, text_cfg=open_clip_text,
                 vision_cfg=dict(open_clip_vision, no_ln_pre=True, pool_type="avg", final_ln_after_pool=True,
                                 ls_init_value=0.1)),
            preprocess=dict(interpolation="bilinear", resize_mode="squash")),
        "openai_clip": OpenClip(dict(embed_dim=24, quick_gelu=True,
                                     vision_cfg=dict(open_clip_vision, layers=1, width=64, head_width=64, mlp_ratio=1),
                                     text_cfg=open_clip_text), bare=True),
        "open_clip_siglip": OpenClip(
            dict(embed_dim=32, init_logit_bias=-10, custom_text=True, text_cfg=open_clip_text,
                 vision_cfg=dict(image_size=32, timm_model_name="vit_base_patch16_siglip_224",
                                 timm_model_pretrained=False, timm_pool="map", timm_proj="none")),
            preprocess=dict(mean=(0.5,) * 3, std=(0.5,) * 3, resize_mode="squash"), visual=small_timm_tower),
    }


def published_cases():
    t = transformers
    dinov2 = BitImageProcessorPil(size=dict(shortest_edge=256), **IMAGENET)
    small = dict(hidden_size=384, num_attention_heads=6, num_hidden_layers=12)
    labels = dict(num_labels=1000)
    return {
        "vit_base_patch16": Case(t.ViTForImageClassification, t.ViTConfig(**labels), ViTImageProcessorPil()),
        "dinov2_small_registers": Case(
            t.Dinov2WithRegistersForImageClassification,
            t.Dinov2WithRegistersConfig(**small, image_size=518, num_register_tokens=4, **labels), dinov2),
        "dinov3_small": Case(t.DINOv3ViTModel, t.DINOv3ViTConfig(num_register_tokens=4), DINOv3ViTImageProcessor(),
                             pooled),
        "clip_base_patch32": Case(t.CLIPVisionModelWithProjection, t.CLIPVisionConfig(), CLIPImageProcessorPil(),
                                  image_embeds),
        "siglip_base_patch16": Case(t.SiglipVisionModel, t.SiglipVisionConfig(), SiglipImageProcessorPil(), pooled),
    }


def outputs_of(vit, model, pictures, folder):
    """What `vit classify` gives for each picture: the logits, or the features of a model without a head."""
    features = folder / "features.h5"
    lines = subprocess.run([vit, "classify", model, *pictures, "--format", "jsonl", "--logits", "--embeddings", features,
                            "--force"], check=True, capture_output=True, text=True).stdout.splitlines()
    rows = [json.loads(line).get("logits") or [] for line in lines]
    if all(rows):
        return np.array(rows)
    with h5py.File(features) as file:
        return file["embeddings"][:]


def check(vit, out, names):
    """Imports each folder and compares; says how long the import took and how much memory."""
    for name in names:
        folder, model = out / name, out / f"{name}.h5"
        expected = json.loads((folder / "expected.json").read_text())
        pictures = [str(out / "pictures" / p) for p in expected["outputs"]]
        want = np.array(list(expected["outputs"].values()))
        begin = time.perf_counter()
        done = subprocess.run(["/usr/bin/time", "-f", "%M", vit, "model", "import", folder, model, "--force"], check=True,
                              capture_output=True, text=True)
        seconds = time.perf_counter() - begin
        got = outputs_of(vit, model, pictures, out)
        ordered = np.take_along_axis(got, np.argsort(-want), 1)  # outputs that fall, but for rounding
        swapped = (ordered - np.minimum.accumulate(ordered, 1)).max()
        parameters = next(line.split()[1] for line in done.stdout.splitlines() if line.startswith("parameters"))
        print(f"{name:26} parameters {parameters:>10} of {expected['made_with']['parameters_of_source']}, largest error "
              f"{abs(got - want).max():.2g} of {abs(want).max():.3g}, first {'equal' if (got.argmax(1) == want.argmax(1)).all() else 'DIFFERS'}, "
              f"outputs that change places differ by {swapped:.1g}, "
              f"import {seconds:.2f} s, {int(done.stderr.split()[-1]) >> 10} MiB, "
              f"file {(folder / 'model.safetensors').stat().st_size >> 20} MiB", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--published", action="store_true")
    parser.add_argument("--check", metavar="VIT", help="compare what is in OUT, make nothing")
    args = parser.parse_args()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)
    cases = published_cases() if args.published else small_cases()
    if args.check:
        return check(args.check, args.out, args.cases or cases)
    make_pictures(args.out / "pictures", LARGE_PICTURES if args.published else SMALL_PICTURES)
    for name, case in cases.items():
        if args.cases and name not in args.cases:
            continue
        folder = args.out / name
        shutil.rmtree(folder, ignore_errors=True)
        compute, parameters = case.make(folder, name, args.published)
        pictures = sorted((args.out / "pictures").iterdir())
        expected = {p.name: [float(f"{v:.8g}") for v in compute(Image.open(p).convert("RGB")).tolist()]
                    for p in pictures}
        about = dict(seed=SEED, parameters_of_source=parameters, torch=torch.__version__.split("+")[0],
                     transformers=transformers.__version__, open_clip=open_clip.__version__, timm=timm.__version__)
        (folder / "expected.json").write_text(json.dumps(dict(outputs=expected, made_with=about)) + "\n")
        spread = np.array(list(expected.values()))
        print(f"{name:32} outputs {spread.shape[1]:5}, largest {abs(spread).max():.3g}, "
              f"between pictures {spread.std(0).mean():.3g}, {sum(f.stat().st_size for f in folder.iterdir()) >> 10} KiB")


if __name__ == "__main__":
    main()
