// Made by make_optimizer_golden.py with PyTorch 2.15.0+cu132.
#pragma once

namespace vit::test {

constexpr int kGoldenSteps = 6;
constexpr float kGoldenWeight[] = {0.462291807f, -1.28541982f, 1.93112206f, 0.00293651316f, 0.0426866077f};
constexpr float kGoldenBias[] = {1.05156124f, -0.450889587f, 0.280310214f};
constexpr float kGoldenNorms[] = {0.404543251f, 5.10504246f, 0.380397797f, 5.29479694f, 0.376842737f, 5.17516375f};

}  // namespace vit::test
