#!/usr/bin/env python3
"""Writes optimizer_golden.h: AdamW and clip_grad_norm_ of PyTorch on two small parameters.

    python3 make_optimizer_golden.py > optimizer_golden.h
"""
import math

import torch

STEPS = 6


def gradient(step, index):
    """The same formula stands in optimizer_test.cpp."""
    return torch.tensor(math.sin(1.3 * step + 0.7 * index) * (2.5 if step % 2 else 0.2), dtype=torch.float32)


weight = torch.nn.Parameter(torch.tensor([0.5, -1.25, 2.0, 0.0, 0.03125]))
bias = torch.nn.Parameter(torch.tensor([1.0, -0.5, 0.25]))
optimizer = torch.optim.AdamW(
    [{"params": [weight], "weight_decay": 0.1}, {"params": [bias], "weight_decay": 0.0}],
    lr=0.02, betas=(0.9, 0.99), eps=1e-6, foreach=False)
norms = []
for step in range(STEPS):
    weight.grad = torch.stack([gradient(step, i) for i in range(5)])
    bias.grad = torch.stack([gradient(step, 5 + i) for i in range(3)])
    norms.append(torch.nn.utils.clip_grad_norm_([weight, bias], 1.5).item())
    optimizer.step()


def literal(name, values):
    return f"constexpr float {name}[] = {{{', '.join(f'{v:.9g}f' for v in values)}}};"


print(f"// Made by make_optimizer_golden.py with PyTorch {torch.__version__}.")
print("#pragma once\n")
print("namespace vit::test {\n")
print(f"constexpr int kGoldenSteps = {STEPS};")
print(literal("kGoldenWeight", weight.tolist()))
print(literal("kGoldenBias", bias.tolist()))
print(literal("kGoldenNorms", norms))
print("\n}  // namespace vit::test")
