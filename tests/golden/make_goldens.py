"""Training goldens from PyTorch and timm: python make_goldens.py OUT_FOLDER [CASE...]

Per case one HDF5 file: the weights before, the batches, the logits before, the loss of each AdamW step, the gradients of
the last step (after clipping is computed, before it is applied) and the weights after. Everything runs in double, so
that the expectation carries no rounding of its own. Attributes record versions and seed.
A case is a row of CASES: the fields of our configuration and the function that builds the other side's model.
Needs torch, timm, h5py, numpy.
"""
import json
import re
import sys
from functools import partial

import h5py
import numpy as np
import timm
import torch
from timm.layers import QuickGELU, RmsNorm, SwiGLUPacked
from timm.models.beit import Beit
from timm.models.deit import VisionTransformerDistilled
from timm.models.eva import Eva
from timm.models.vision_transformer import VisionTransformer
from timm.models.vision_transformer_relpos import VisionTransformerRelPos

SEED = 20240607
LR, BETAS, DECAY = 1e-3, (0.9, 0.999), 0.05


# ---- models: what the fields mean in other people's packages ----

def norm_layer(c):
    """norms by word; timm hands its own keywords to them"""
    return lambda n, **kw: RmsNorm(n, eps=c["eps"]) if c.get("norm") == "rmsnorm" else torch.nn.LayerNorm(n, eps=c["eps"])


def vit(c, kind=VisionTransformer, **changes):
    gelu = torch.nn.GELU(approximate="tanh" if c["activation"] == "gelu_tanh" else "none")
    if c["activation"] == "quick_gelu":
        gelu = QuickGELU()
    final_norm = dict(before_pooling=dict(fc_norm=False), after_pooling=dict(fc_norm=True), none=dict(final_norm=False))
    options = dict(
        img_size=c["image_size"], patch_size=c["patch_size"], embed_dim=c["width"], depth=c["depth"],
        num_heads=c["heads"], mlp_ratio=c["mlp_width"] / c["width"], num_classes=c["classes"],
        class_token=c["class_token"], global_pool=c["pooling"], qkv_bias=c["qkv_bias"],
        init_values=0.1 if c["layer_scale"] else None, act_layer=lambda: gelu, norm_layer=norm_layer(c),
        pre_norm=c.get("pre_norm", False), embed_norm_layer=norm_layer(c) if c.get("patch_norm") else None,
        scale_attn_norm=c.get("attention_norm", False), scale_mlp_norm=c.get("mlp_norm", False))
    return kind(**(options | final_norm.get(c.get("final_norm"), {}) | changes))


def registers(c):
    return vit(c, reg_tokens=c["registers"], no_embed_class=not c.get("prefix_position", True))


def swiglu(c, **changes):
    # timm's block gives its own activation to the feed-forward, and the hidden features count both halves.
    return vit(c, mlp_layer=SwiGLUPacked, act_layer=torch.nn.SiLU, mlp_ratio=2 * c["mlp_width"] / c["width"], **changes)


def rope(c, **changes):
    # Eva's own defaults differ: 'ij' for all layouts, and pairs of neighbours for "dinov3".
    reference = c.get("rope_reference", 0)
    options = dict(
        img_size=c["image_size"], patch_size=c["patch_size"], embed_dim=c["width"], depth=c["depth"],
        num_heads=c["heads"], mlp_ratio=c["mlp_width"] / c["width"], num_classes=c["classes"],
        class_token=c["class_token"], global_pool=c["pooling"], qkv_bias=c["qkv_bias"], qk_norm=c.get("qk_norm", False),
        norm_layer=norm_layer(c), attn_type="rope", swiglu_mlp=c.get("mlp") == "swiglu",
        scale_mlp=c.get("mlp_norm", False), scale_attn_inner=c.get("attention_norm", False),
        use_abs_pos_emb=c["position"] == "learned", use_rot_pos_emb=True,
        rope_type={"axial": "cat"}.get(c["rope"], c["rope"]), rope_temperature=c["rope_theta"],
        rope_grid_indexing=c["rope_order"], rope_grid_offset=c.get("rope_offset", 0),
        ref_feat_shape=reference if reference > 0 else None, rope_rotate_half=c["rope"] == "dinov3")
    return Eva(**(options | changes))


def beit(c):
    return Beit(
        img_size=c["image_size"], patch_size=c["patch_size"], embed_dim=c["width"], depth=c["depth"],
        num_heads=c["heads"], mlp_ratio=c["mlp_width"] / c["width"], num_classes=c["classes"],
        global_pool=c["pooling"], qkv_bias=c["qkv_bias"], norm_layer=norm_layer(c),
        use_abs_pos_emb=c["position"] == "learned", use_rel_pos_bias=True)


def relative_position(c):
    return vit(c, kind=VisionTransformerRelPos, rel_pos_type="bias", fc_norm=c["pooling"] == "avg")


class SequencePooling(VisionTransformer):
    """Hassani et al., arXiv:2104.05704, equations 4 to 6"""

    def __init__(self, **options):
        super().__init__(**(options | dict(global_pool="", class_token=False)))
        self.attention_pool = torch.nn.Linear(options["embed_dim"], 1)

    def pool(self, x, pool_type=None):
        shares = self.attention_pool(x).softmax(dim=1)  # [B, N, 1]
        return (shares * x).sum(dim=1)


class TokenMean(VisionTransformer):
    """DINOv2's linear classifier: the last blocks' class tokens, oldest first, and the mean of the last one's patches"""

    def __init__(self, layers, **options):
        super().__init__(**(options | dict(global_pool="token")))
        self.layers = layers
        self.head = torch.nn.Linear((layers + 1) * options["embed_dim"], options["num_classes"])

    def forward(self, x):
        outputs = self.get_intermediate_layers(x, n=self.layers, norm=True, return_prefix_tokens=True)
        tokens = [prefix[:, 0] for _, prefix in outputs]
        return self.head(torch.cat([*tokens, outputs[-1][0].mean(dim=1)], dim=1))


def token_mean(c):
    return vit(c, kind=partial(TokenMean, c.get("readout_layers", 1)), reg_tokens=c.get("registers", 0))


class ConvTokenizer(torch.nn.Module):
    """The same paper's: convolution, ReLU, max pooling, some times; then row by row"""

    def __init__(self, c, **timm_options):
        super().__init__()
        widths = [3] + [c["conv_width"]] * (c["conv_layers"] - 1) + [c["width"]]
        kernel, stride = c["conv_kernel"], c["conv_stride"]
        self.conv_layers = torch.nn.Sequential(*[
            torch.nn.Sequential(
                torch.nn.Conv2d(n, m, kernel, stride, padding=kernel // 2, bias=False),
                torch.nn.ReLU(), torch.nn.MaxPool2d(kernel_size=3, stride=2, padding=1))
            for n, m in zip(widths, widths[1:])])
        with torch.no_grad():
            self.num_patches = self(torch.zeros(1, 3, c["image_size"], c["image_size"])).shape[1]

    def forward(self, x):
        return self.conv_layers(x).flatten(2).transpose(1, 2)


def conv(c, **changes):
    return vit(c, embed_layer=partial(ConvTokenizer, c), **changes)


# ---- cases ----

BASE = dict(image_size=16, patch_size=4, width=16, depth=2, heads=2, mlp_width=20, classes=5, eps=1e-6,
            activation="gelu", pooling="token", position="learned", class_token=True, layer_scale=False, qkv_bias=True)
GRID = dict(pooling="avg", class_token=False)  # no token beside the grid's
SMALL = dict(image_size=12, width=12, depth=1, mlp_width=12)
AXIAL = dict(position="none", rope="axial", rope_theta=100, rope_order="xy")


def part(build, steps=4, batch=3, adam_eps=1e-4, **fields):
    """A small model with one part. Gradients near zero move weights little: parts are compared here, not AdamW."""
    return dict(config=BASE | fields, build=build, smoothing=0.1, clip=0.0, steps=steps, batch=batch, adam_eps=adam_eps,
                matrices=0.3, bytes=True)


CASES = {
    "token_erf": dict(
        config=dict(image_size=16, patch_size=4, width=24, depth=2, heads=3, mlp_width=96, classes=5, eps=1e-6,
                    activation="gelu", pooling="token", class_token=True, layer_scale=False, qkv_bias=True),
        build=vit, smoothing=0.1, clip=1.0, steps=10, batch=6, adam_eps=1e-8, matrices=0.15),
    "mean_tanh_scale": dict(
        config=dict(image_size=12, patch_size=4, width=20, depth=2, heads=2, mlp_width=52, classes=7, eps=1e-5,
                    activation="gelu_tanh", pooling="avg", class_token=False, layer_scale=True, qkv_bias=False),
        build=vit, smoothing=0.0, clip=0.0, steps=10, batch=6, adam_eps=1e-8, matrices=0.15),
    "registers": part(registers, registers=2),
    "registers_grid_position": part(registers, registers=3, prefix_position=False, pooling="avg"),
    "qk_norm": part(partial(vit, qk_norm=True), qk_norm=True),
    "swiglu": part(swiglu, mlp="swiglu", mlp_width=12),
    "rmsnorm": part(vit, norm="rmsnorm", eps=1e-5),
    "rmsnorm_swiglu_qk": part(partial(swiglu, qk_norm=True), norm="rmsnorm", eps=1e-5, mlp="swiglu", mlp_width=12,
                              qk_norm=True, **GRID),
    "rope_axial": part(rope, **AXIAL),
    # An offset shows between tokens that turn and those that do not.
    "rope_axial_reference": part(rope, **AXIAL | dict(rope_theta=10000, rope_order="ij", rope_reference=6, rope_offset=1),
                                 image_size=20, width=24, depth=1, pooling="avg"),
    "rope_axial_qk_norm": part(rope, **AXIAL, qk_norm=True, qkv_bias=False),
    "rope_dinov3": part(rope, position="none", rope="dinov3", rope_theta=100, rope_order="ij"),
    "rope_mixed": part(rope, position="none", rope="mixed", rope_theta=10, rope_order="xy"),
    "seq_pooling": part(partial(vit, kind=SequencePooling), pooling="seq", class_token=False),
    "conv_tokenizer": part(conv, tokenizer="conv", conv_layers=2, conv_kernel=3, conv_stride=1, conv_width=8,
                           patch_size=1, **GRID),
    "conv_tokenizer_seq": part(partial(conv, kind=SequencePooling), tokenizer="conv", conv_layers=1, conv_kernel=5,
                               conv_stride=2, conv_width=8, image_size=14, patch_size=1, pooling="seq", class_token=False),
    "distilled": part(partial(vit, kind=VisionTransformerDistilled), distilled=True, **SMALL),
    "map_pooling": part(vit, pooling="map", class_token=False, activation="gelu_tanh", **SMALL),
    "map_pooling_prefix": part(partial(rope, attn_pool_num_heads=4, attn_pool_mlp_ratio=0.5), **AXIAL, pooling="map",
                               pool_heads=4, pool_mlp_width=8, pool_prefix=True, image_size=12, depth=1, mlp_width=12),
    "token_avg": part(token_mean, pooling="token_avg", layer_scale=True, **SMALL),
    "token_avg_layers": part(token_mean, pooling="token_avg", readout_layers=2, registers=2, **SMALL | dict(depth=2)),
    "relative_bias": part(beit, position="none", relative_bias=True, qkv_bias=False),
    "relative_bias_grid": part(relative_position, position="none", relative_bias=True, **GRID),
    # What CLIP, AIMv2, BEiT-3 and EVA-02 have.
    "pre_norm_quick_gelu": part(vit, pre_norm=True, patch_bias=False, activation="quick_gelu", eps=1e-5, mlp_width=12),
    "patch_norm": part(swiglu, patch_norm=True, norm="rmsnorm", eps=1e-5, mlp="swiglu", final_norm="before_pooling",
                       **SMALL | GRID),
    "attention_mlp_norm": part(vit, attention_norm=True, mlp_norm=True, pooling="avg", eps=1e-5, **SMALL),
    "rope_swiglu_norms": part(rope, **AXIAL, attention_norm=True, mlp_norm=True, mlp="swiglu", mlp_width=12),
    "mean_of_normed": part(vit, pooling="avg", final_norm="before_pooling", **SMALL),
    "normed_token": part(vit, final_norm="after_pooling", **SMALL),
    "no_final_norm": part(vit, final_norm="none", **SMALL),
    "seq_pooling_normed": part(partial(vit, kind=SequencePooling), pooling="seq", class_token=False,
                               final_norm="after_pooling", **SMALL),
}

# Where names of the other side differ.
RENAMES = [(r"^patch_embed\.conv_layers", "tokenizer.conv_layers"), (r"\.rel_pos\.", ".")]
# Tables, which timm keeps out of weight decay.
TABLES = {"cls_token", "dist_token", "reg_token", "pos_embed", "latent", "freqs", "relative_position_bias_table"}


def our_name(name):
    for pattern, ours in RENAMES:
        name = re.sub(pattern, ours, name)
    return name


def tensors(model, value):
    """(our name, value) of each parameter. Gates and values, which Eva has as two Linears, are one of ours."""
    theirs = dict(model.named_parameters())
    for k, p in theirs.items():
        if ".fc1_g." in k:
            yield our_name(k.replace("fc1_g", "fc1")), torch.cat([value(p), value(theirs[k.replace("fc1_g", "fc1_x")])])
        elif ".fc1_x." not in k:
            yield our_name(k), value(p)


def last_name(name):
    return name.rsplit(".", 1)[-1]


def build(case):
    model = case["build"](case["config"])
    # Weights far from their initial zeros and ones, so that every gradient is large enough to be compared.
    generator = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=generator)
            base = 1.0 if "norm" in name and name.endswith("weight") else 0.0
            p.copy_(base + noise * (case["matrices"] if p.dim() > 1 else 0.1))
    return model.double().train()


def optimizer(model, case):
    decay, rest = [], []
    for name, p in model.named_parameters():
        (decay if p.dim() > 1 and last_name(name) not in TABLES else rest).append(p)
    groups = [dict(params=decay, weight_decay=DECAY), dict(params=rest, weight_decay=0.0)]
    return torch.optim.AdamW(groups, lr=LR, betas=BETAS, eps=case["adam_eps"])


def f32(tensor):
    return tensor.detach().numpy().astype(np.float32)


def draw_pixels(rng, case):
    """float32, or bytes that stand for (byte - 128) / 64 where a file should be small"""
    side = case["config"]["image_size"]
    shape = (case["steps"], case["batch"], 3, side, side)
    if not case.get("bytes"):
        pixels = rng.standard_normal(shape).astype(np.float32)
        return pixels, pixels
    stored = rng.integers(0, 256, shape).astype(np.uint8)
    return stored, (stored.astype(np.float32) - 128) / 64


def make(name, case, folder):
    c, steps = case["config"], case["steps"]
    model = build(case)
    rng = np.random.default_rng(SEED)
    stored, pixels = draw_pixels(rng, case)
    labels = rng.integers(0, c["classes"], (steps, case["batch"])).astype(np.int32)
    # float32 starting values are what the other side reads.
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(p.float().double())
    with h5py.File(f"{folder}/{name}.h5", "w", libver="latest") as out:
        versions = dict(torch=torch.__version__, timm=timm.__version__, numpy=np.__version__)
        out.create_dataset("case", data=np.frombuffer(json.dumps(dict(
            config=c, smoothing=case["smoothing"], clip=case["clip"], lr=LR, betas=BETAS, adam_eps=case["adam_eps"],
            weight_decay=DECAY, steps=steps, batch=case["batch"], seed=SEED, versions=versions)).encode(), np.uint8))
        out.create_dataset("pixels", data=stored)
        out.create_dataset("labels", data=labels)
        for k, p in tensors(model, lambda p: p):
            out.create_dataset(f"before/{k}", data=f32(p))
        opt, losses = optimizer(model, case), []
        for s in range(steps):
            opt.zero_grad()
            logits = model(torch.from_numpy(pixels[s]).double())
            if s == 0:
                out.create_dataset("logits", data=f32(logits))
            loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels[s]).long(),
                                                     label_smoothing=case["smoothing"])
            loss.backward()
            losses.append(loss.item())
            if s == steps - 1:
                for k, gradient in tensors(model, lambda p: p.grad):
                    out.create_dataset(f"gradients/{k}", data=f32(gradient))
            if case["clip"] > 0:
                torch.nn.utils.clip_grad_norm_(model.parameters(), case["clip"])
            opt.step()
        out.create_dataset("losses", data=np.array(losses, np.float32))
        for k, p in tensors(model, lambda p: p):
            out.create_dataset(f"after/{k}", data=f32(p))
    print(name, sum(p.numel() for p in model.parameters()), losses)


if __name__ == "__main__":
    for n in sys.argv[2:] or CASES:
        make(n, CASES[n], sys.argv[1])
