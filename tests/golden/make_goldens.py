"""Training goldens from PyTorch and timm: python make_goldens.py [OUT_FOLDER]

Per case one HDF5 file: the weights before, the batches, the loss of each of 10 AdamW steps, the gradients of the
last step (after clipping is computed, before it is applied) and the weights after. Everything runs in double, so that
the expectation carries no rounding of its own. Attributes record versions and seed.
Needs torch, timm, h5py, numpy.
"""
import json
import sys

import h5py
import numpy as np
import timm
import torch
from timm.models.vision_transformer import VisionTransformer

SEED = 20240607
STEPS, BATCH = 10, 6
CASES = {
    "token_erf": dict(
        config=dict(image_size=16, patch_size=4, width=24, depth=2, heads=3, mlp_width=96, classes=5, eps=1e-6,
                    activation="gelu", pooling="token", class_token=True, layer_scale=False, qkv_bias=True),
        smoothing=0.1, clip=1.0),
    "mean_tanh_scale": dict(
        config=dict(image_size=12, patch_size=4, width=20, depth=2, heads=2, mlp_width=52, classes=7, eps=1e-5,
                    activation="gelu_tanh", pooling="avg", class_token=False, layer_scale=True, qkv_bias=False),
        smoothing=0.0, clip=0.0),
}
LR, BETAS, EPS, DECAY = 1e-3, (0.9, 0.999), 1e-8, 0.05


def build(c):
    gelu = torch.nn.GELU(approximate="tanh" if c["activation"] == "gelu_tanh" else "none")
    model = VisionTransformer(
        img_size=c["image_size"], patch_size=c["patch_size"], embed_dim=c["width"], depth=c["depth"],
        num_heads=c["heads"], mlp_ratio=c["mlp_width"] / c["width"], num_classes=c["classes"],
        class_token=c["class_token"], global_pool=c["pooling"], qkv_bias=c["qkv_bias"],
        init_values=0.1 if c["layer_scale"] else None, act_layer=lambda: gelu,
        norm_layer=lambda n, **kw: torch.nn.LayerNorm(n, eps=c["eps"]))
    # Weights far from their initial zeros and ones, so that every gradient is large enough to be compared.
    generator = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=generator)
            base = 1.0 if "norm" in name and name.endswith("weight") else 0.0
            p.copy_(base + noise * (0.15 if p.dim() > 1 else 0.1))
    return model.double().train()


def optimizer(model):
    decay, rest = [], []
    for name, p in model.named_parameters():
        (decay if p.dim() > 1 and name not in ("cls_token", "pos_embed") else rest).append(p)
    groups = [dict(params=decay, weight_decay=DECAY), dict(params=rest, weight_decay=0.0)]
    return torch.optim.AdamW(groups, lr=LR, betas=BETAS, eps=EPS)


def f32(tensor):
    return tensor.detach().numpy().astype(np.float32)


def make(name, case, folder):
    c = case["config"]
    model = build(c)
    rng = np.random.default_rng(SEED)
    pixels = rng.standard_normal((STEPS, BATCH, 3, c["image_size"], c["image_size"])).astype(np.float32)
    labels = rng.integers(0, c["classes"], (STEPS, BATCH)).astype(np.int32)
    # float32 starting values are what the other side reads.
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(p.float().double())
    with h5py.File(f"{folder}/{name}.h5", "w", libver="latest") as out:
        versions = dict(torch=torch.__version__, timm=timm.__version__, numpy=np.__version__)
        out.create_dataset("case", data=np.frombuffer(json.dumps(dict(
            config=c, smoothing=case["smoothing"], clip=case["clip"], lr=LR, betas=BETAS, adam_eps=EPS,
            weight_decay=DECAY, steps=STEPS, batch=BATCH, seed=SEED, versions=versions)).encode(), np.uint8))
        out.create_dataset("pixels", data=pixels)
        out.create_dataset("labels", data=labels)
        for k, p in model.named_parameters():
            out.create_dataset(f"before/{k}", data=f32(p))
        opt, losses = optimizer(model), []
        for s in range(STEPS):
            opt.zero_grad()
            logits = model(torch.from_numpy(pixels[s]).double())
            if s == 0:
                out.create_dataset("logits", data=f32(logits))
            loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels[s]).long(),
                                                     label_smoothing=case["smoothing"])
            loss.backward()
            losses.append(loss.item())
            if s == STEPS - 1:
                for k, p in model.named_parameters():
                    out.create_dataset(f"gradients/{k}", data=f32(p.grad))
            if case["clip"] > 0:
                torch.nn.utils.clip_grad_norm_(model.parameters(), case["clip"])
            opt.step()
        out.create_dataset("losses", data=np.array(losses, np.float32))
        for k, p in model.named_parameters():
            out.create_dataset(f"after/{k}", data=f32(p))
    print(name, sum(p.numel() for p in model.parameters()), losses)


if __name__ == "__main__":
    for n, case in CASES.items():
        make(n, case, sys.argv[1] if len(sys.argv) > 1 else ".")
