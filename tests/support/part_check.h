// What every part of a network must keep, whatever it computes.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "infer/calibration.h"
#include "infer/engine.h"
#include "infer/smoothing.h"
#include "tests/support/tolerance.h"
#include "train/train_step.h"
#include "vit/core/parallel.h"
#include "vit/core/rng.h"
#include "vit/kernels/isa.h"

namespace vit::test {
namespace part {

inline constexpr int64_t kImages = 7;  // no multiple of the shards

/// A model with weights large enough to matter, and a batch of noise.
struct Case {
  explicit Case(const ModelConfig& config) : model(make_model(config, 3)) {
    RandomStream random(5, RandomPurpose::test);
    for (float& w : model.weights.span()) w += random.uniform(-0.2f, 0.2f);
    input = AlignedBuffer<float>(kImages * config.patches() * config.patch_dim());
    for (float& x : input.span()) x = random.uniform(-1, 1);
    for (int64_t b = 0; b < kImages; ++b) {
      labels.push_back(static_cast<int32_t>(random.below(static_cast<uint64_t>(config.classes))));
      const int64_t prefix = config.tokens().prefix, patches = config.tokens().patches();
      valid.push_back(
          static_cast<int32_t>(prefix + 1 + static_cast<int64_t>(random.below(static_cast<uint64_t>(patches)))));
    }
  }

  TensorView<const float> rows() const {
    return {input.data(), {kImages, model.config.patches(), model.config.patch_dim()}};
  }
  TrainStep::Batch batch(bool padded) const {
    TrainStep::Batch b;
    b.patches = rows();
    b.targets.labels = labels.data();
    b.valid_tokens = padded ? valid.data() : nullptr;
    b.step = 17;
    return b;
  }
  ParameterBlock gradients(const StepOptions& options, double* loss = nullptr) const {
    TrainStep step(model.config, kImages, options);
    ParameterBlock block(model.layout.block_size());
    step.pack(model.weights);
    const double sum = step.run(batch(true), 1, block).loss_sum;
    if (loss != nullptr) *loss = sum;
    return block;
  }

  Model model;
  AlignedBuffer<float> input;
  std::vector<int32_t> labels, valid;
};

inline StepOptions regularised(DType dtype) {
  StepOptions options;
  options.dtype = dtype;
  options.dropout = 0.2f;
  options.attention_dropout = 0.2f;
  options.drop_path = 0.3f;
  options.seed = 11;
  options.micro_batch = 2;
  return options;
}

inline bool same_bits(const ParameterBlock& a, const ParameterBlock& b) {
  return std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.size()) * sizeof(float)) == 0;
}

/// One direction a tensor, so that none hides behind another. Differences are in fp32 always: a loss in bf16 moves in
/// steps larger than they are.
inline void expect_slopes(const Case& c, DType dtype) {
  const ParameterBlock gradients = c.gradients(regularised(dtype));
  TrainStep fp32(c.model.config, kImages, regularised(DType::f32));
  ParameterBlock scratch(gradients.size());
  const auto loss_at = [&](const ParameterBlock& weights) {
    fp32.pack(weights);
    return fp32.run(c.batch(true), 0, scratch).loss_sum;
  };
  const bool rounded = dtype == DType::bf16;
  const double of_slope = rounded ? 0.05 : 0.02, of_magnitude = rounded ? 0.02 : 0.01;
  for (std::size_t i = 0; i < c.model.layout.all().size(); ++i) {
    const Parameter& p = c.model.layout.all()[i];
    RandomStream random(1, RandomPurpose::test, i);
    ParameterBlock up(gradients.size()), down(gradients.size());
    std::ranges::copy(c.model.weights.span(), up.data());
    std::ranges::copy(c.model.weights.span(), down.data());
    double slope = 0, magnitude = 0;
    constexpr float kStep = 3e-4f;
    for (int64_t k = 0; k < p.count; ++k) {
      const float d = random.next_u32() % 2 == 0 ? 1.0f : -1.0f;
      at(up, p)[k] += kStep * d;
      at(down, p)[k] -= kStep * d;
      slope += static_cast<double>(at(gradients, p)[k] * d);
      magnitude += std::fabs(static_cast<double>(at(gradients, p)[k]));
    }
    const double difference = (loss_at(up) - loss_at(down)) / (2 * static_cast<double>(kStep));
    EXPECT_NEAR(slope, difference, of_slope * std::fabs(slope) + of_magnitude * magnitude + 5e-3) << p.name;
  }
}

inline void expect_same_bits(const Case& c, DType dtype) {
  set_thread_count(1);
  double loss = 0;
  const ParameterBlock want = c.gradients(regularised(dtype), &loss);
  for (const int threads : {2, 5}) {
    set_thread_count(threads);
    double other = 0;
    EXPECT_TRUE(same_bits(c.gradients(regularised(dtype), &other), want)) << threads << " threads";
    EXPECT_EQ(other, loss);
  }
  set_thread_count(0);
  for (const Recompute recompute : {Recompute::attention, Recompute::block}) {
    StepOptions options = regularised(dtype);
    options.recompute = recompute;
    EXPECT_TRUE(same_bits(c.gradients(options), want)) << "recompute " << static_cast<int>(recompute);
  }
}

inline std::vector<float> logits(const Case& c, const EngineOptions& options, int threads = 1) {
  set_thread_count(threads);
  Engine engine(c.model, options);
  std::vector<float> out(static_cast<std::size_t>(kImages * c.model.config.classes));
  EngineOutputs outputs;
  outputs.logits = TensorView<float>(out.data(), {kImages, c.model.config.classes});
  engine.run(c.rows(), outputs);
  set_thread_count(0);
  return out;
}

/// Mean cross-entropy of logits, as the training step sums it.
inline double loss_of(const Case& c, const std::vector<float>& logits) {
  const auto classes = static_cast<std::size_t>(c.model.config.classes);
  double sum = 0;
  for (std::size_t b = 0; b < c.labels.size(); ++b) {
    double total = 0;
    for (std::size_t k = 0; k < classes; ++k) total += std::exp(static_cast<double>(logits[b * classes + k]));
    sum += std::log(total) - static_cast<double>(logits[b * classes + static_cast<std::size_t>(c.labels[b])]);
  }
  return sum;
}

inline void expect_same_answers(const Case& c) {
  const std::vector<float> want = logits(c, {.mode = EngineMode::throughput});
  const Tolerance tolerance = product_rows_stand_alone() ? kExact : kFp32Network;
  expect_close(logits(c, {.mode = EngineMode::latency}, 3), want, tolerance);
  expect_close(logits(c, {.mode = EngineMode::throughput, .micro_batch = 3}, 2), want, tolerance);
  StepOptions options;
  options.micro_batch = 2;
  TrainStep step(c.model.config, kImages, options);
  step.pack(c.model.weights);
  ParameterBlock gradients(c.model.layout.block_size());
  EXPECT_NEAR(step.run(c.batch(false), 1, gradients).loss_sum, loss_of(c, want), 1e-3);
}

/// The answers at a distance that rounding may make, as a share of their spread.
inline void expect_near(const std::vector<float>& got, const std::vector<float>& want, double share) {
  double error = 0, spread = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    error += std::pow(static_cast<double>(got[i]) - static_cast<double>(want[i]), 2);
    spread += std::pow(static_cast<double>(want[i]), 2);
  }
  EXPECT_LT(std::sqrt(error / spread), share);
}

inline void expect_int8_near(Case& c) {
  if (runnable_dtype(DType::i8) != DType::i8) return;
  const std::vector<float> want = logits(c, {});
  RangeCollector collector(c.model.layout);
  logits(c, {.observe = collector.observer()});
  ChannelRanges all = collector.ranges();
  smooth(c.model, all, 0.5f);
  expect_near(logits(c, {}), want, 1e-4);
  for (const auto& [name, ranges] : all)
    c.model.quantization.input_scales[name] = *std::ranges::max_element(ranges) / 127;
  expect_near(logits(c, {.dtype = DType::i8}), want, 0.1);
}

inline void expect_file(const Case& c) {
  const std::filesystem::path path =
      std::filesystem::path(testing::TempDir()) /
      (std::string(testing::UnitTest::GetInstance()->current_test_info()->name()) + "_part.h5");
  save_model(path, c.model);
  const Model back = load_model(path);
  std::filesystem::remove(path);
  EXPECT_EQ(back.config, c.model.config);
  for (const Parameter& p : c.model.layout.all())
    EXPECT_EQ(
        0, std::memcmp(at(back.weights, p), at(c.model.weights, p), static_cast<std::size_t>(p.count) * sizeof(float)))
        << p.name;
}

}  // namespace part

/// A small network for a part to be put into: 9 patches of 4 x 4 pixels, 2 blocks.
inline ModelConfig small_network() {
  ModelConfig c;
  c.name = "small";
  c.image_size = 12;
  c.patch_size = 4;
  c.width = 16;
  c.depth = 2;
  c.heads = 2;
  c.mlp_width = 24;
  c.classes = 5;
  return c;
}

/// Gradients that are slopes of the loss, in fp32 and bf16; the same bits for any number of threads and however much
/// backward computes again; the same answers in training, in inference by one worker and by a team; int8 near fp32; a
/// model file that comes back whole.
inline void expect_sound(const ModelConfig& config) {
  using namespace part;
  Case c(config);
  expect_slopes(c, DType::f32);
  expect_same_bits(c, DType::f32);
  if (product_isa() >= Isa::avx512_bf16) {
    expect_slopes(c, DType::bf16);
    expect_same_bits(c, DType::bf16);
    expect_near(logits(c, {.dtype = DType::bf16}), logits(c, {}), 0.05);
  }
  expect_same_answers(c);
  expect_file(c);
  expect_int8_near(c);
}

}  // namespace vit::test
