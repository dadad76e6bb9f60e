// Made by make_sgd_golden.py with PyTorch 2.15.0+cu132.
#pragma once

namespace vit::test {

constexpr int kSgdSteps = 5;
struct SgdCase {
  float momentum;
  bool nesterov;
  float weights[8];  // 5 of a matrix, 3 of a bias
};
constexpr SgdCase kSgdCases[] = {
    {0.0f,
     false,
     {0.430646539f, -1.24093032f, 1.97137642f, 0.0563333668f, 0.102585576f, 1.06450903f, -0.466075212f, 0.241489679f}},
    {0.9f,
     false,
     {0.0725352541f, -1.59571099f, 1.56042743f, -0.0842757598f, 0.199784234f, 1.36996627f, -0.0578420982f,
      0.609891176f}},
    {0.9f,
     true,
     {0.0522232465f, -1.54415429f, 1.58597839f, -0.0140020223f, 0.25468272f, 1.39747846f, -0.0681331009f, 0.56539166f}},
};

}  // namespace vit::test
