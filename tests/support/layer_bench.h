// A layer alone: parameters, gates, gradient block, an arena, two images of five tokens.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "tests/support/reference.h"
#include "tests/support/tolerance.h"
#include "vit/core/arena.h"
#include "vit/core/rng.h"
#include "vit/layers/context.h"

namespace vit::test {

/// Tokens without a place in the picture that matters.
inline Tokens row_of(int64_t count) { return {.prefix = 1, .rows = 1, .cols = count - 1}; }

class LayerBench {
 public:
  static constexpr int64_t kImages = 2, kTokens = 5, kRows = kImages * kTokens;

  explicit LayerBench(DType type = DType::f32) : type_(type), registry_(layout_), random_(7, RandomPurpose::test) {}

  /// Call once the layer has registered its parameters. The same layer has the same weights whatever its type.
  void ready() {
    weights_ = ParameterBlock(layout_.block_size());
    gradient_block_ = ParameterBlock(layout_.block_size());
    for (const Parameter& p : layout_.all())
      for (int64_t i = 0; i < p.count; ++i) at(weights_, p)[i] = random_.uniform(-0.7f, 0.7f);
    gates_.emplace(registry_.sections());
    arena_ = Arena(1 << 20);
    shard_.images = kImages;
    shard_.tokens = row_of(kTokens);
  }

  Packing training() const {
    Packing packing;
    packing.values = block_source(layout_, weights_);
    packing.dtype = type_;
    packing.training = true;
    return packing;
  }

  AlignedBuffer<float> random(int64_t count) {
    AlignedBuffer<float> out(count);
    for (float& x : out.span()) x = random_.uniform(-1, 1);
    return out;
  }

  /// A copy in the type of the products.
  vit::Matrix for_product(TensorView<const float> x) {
    const vit::Matrix copy = arena_.take(type_, x.rows(), x.cols());
    convert(x, copy);
    return copy;
  }

  Gradients gradients() { return {gradient_block_, layout_, *gates_}; }

  Weights doubles() const {
    Weights out;
    for (const Parameter& p : layout_.all()) out[p.name] = {at(weights_, p), at(weights_, p) + p.count};
    return out;
  }

  /// Compares the gradient block, and `dx` unless empty, with differences of sum(projection * forward(weights, x)).
  void expect_gradients(const std::function<Matrix(const Weights&, const Matrix&)>& forward, const Matrix& x,
                        std::span<const float> projection, std::span<const float> dx) const {
    constexpr Tolerance kLimit{1e-4, 1e-4};
    Weights weights = doubles();
    Matrix input = x;
    const auto loss = [&] {
      const Matrix y = forward(weights, input);
      EXPECT_EQ(y.v.size(), projection.size());
      double sum = 0;
      for (std::size_t i = 0; i < y.v.size(); ++i) sum += y.v[i] * static_cast<double>(projection[i]);
      return sum;
    };
    const auto differences = [&](std::vector<double>& v) {
      constexpr double kStep = 1e-5;
      std::vector<double> out;
      for (double& value : v) {
        const double before = value;
        value = before + kStep;
        const double up = loss();
        value = before - kStep;
        out.push_back((up - loss()) / (2 * kStep));
        value = before;
      }
      return out;
    };
    for (const Parameter& p : layout_.all()) {
      const std::vector<double> want = differences(weights.at(p.name));
      EXPECT_TRUE(is_close(gradient_of(p), std::span<const double>(want), kLimit)) << p.name;
    }
    if (dx.empty()) return;
    const std::vector<double> want = differences(input.v);
    EXPECT_TRUE(is_close(dx, std::span<const double>(want), kLimit)) << "input";
  }

  std::span<const float> gradient_of(const Parameter& p) const {
    return {at(gradient_block_, p), static_cast<std::size_t>(p.count)};
  }

  DType type_;
  ParameterLayout layout_;
  Registry registry_;
  ParameterBlock weights_;
  ParameterBlock gradient_block_;
  std::optional<Turnstile> gates_;
  Arena arena_;
  Shard shard_;
  RandomStream random_;
};

inline Matrix double_matrix(std::span<const float> values, int64_t cols) {
  Matrix m(static_cast<int64_t>(values.size()) / cols, cols);
  std::ranges::copy(values, m.v.begin());
  return m;
}

inline TensorView<float> view(AlignedBuffer<float>& buffer, int64_t cols) {
  return {buffer.data(), {buffer.size() / cols, cols}};
}

/// |got - want| / |want|, both in the Frobenius norm.
inline double relative_error(std::span<const float> got, std::span<const float> want) {
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    const double g = static_cast<double>(got[i]), w = static_cast<double>(want[i]);
    difference += (g - w) * (g - w);
    norm += w * w;
  }
  return std::sqrt(difference / norm);
}

}  // namespace vit::test
