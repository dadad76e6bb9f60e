#!/usr/bin/env python3
"""Writes sgd_golden.h: SGD of PyTorch on two small parameters, plain, with momentum and in Nesterov's form.

    python3 make_sgd_golden.py > sgd_golden.h
"""
import math

import torch

STEPS = 5


def gradient(step, index):
    """The same formula stands in sgd_test.cpp."""
    return torch.tensor(math.sin(1.1 * step + 0.6 * index), dtype=torch.float32)


def weights_after(momentum, nesterov):
    weight = torch.nn.Parameter(torch.tensor([0.5, -1.25, 2.0, 0.0, 0.03125]))
    bias = torch.nn.Parameter(torch.tensor([1.0, -0.5, 0.25]))
    optimizer = torch.optim.SGD(
        [{"params": [weight], "weight_decay": 0.05}, {"params": [bias], "weight_decay": 0.0}],
        lr=0.1, momentum=momentum, nesterov=nesterov, foreach=False)
    for step in range(STEPS):
        weight.grad = torch.stack([gradient(step, i) for i in range(5)])
        bias.grad = torch.stack([gradient(step, 5 + i) for i in range(3)])
        optimizer.step()
    return weight.tolist() + bias.tolist()


print(f"// Made by make_sgd_golden.py with PyTorch {torch.__version__}.")
print("#pragma once\n")
print("namespace vit::test {\n")
print(f"constexpr int kSgdSteps = {STEPS};")
print("struct SgdCase {\n  float momentum;\n  bool nesterov;\n  float weights[8];  // 5 of a matrix, 3 of a bias\n};")
print("constexpr SgdCase kSgdCases[] = {")
for momentum, nesterov in ((0.0, False), (0.9, False), (0.9, True)):
    values = ", ".join(f"{v:.9g}f" for v in weights_after(momentum, nesterov))
    print(f"    {{{momentum}f, {'true' if nesterov else 'false'}, {{{values}}}}},")
print("};")
print("\n}  // namespace vit::test")
