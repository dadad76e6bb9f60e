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
#include "tests/support/network_problem.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tolerance.h"
#include "vit/kernels/isa.h"

namespace vit::test {
namespace part {

inline constexpr int64_t kImages = 7;  // no multiple of the shards

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

inline void expect_training(const NetworkProblem& c, DType dtype) {
  const StepOptions options = regularised(dtype);
  expect_slopes(c, options, {.step = 3e-4f, .absolute = 5e-3});
  expect_same_bits_for_any_threads(c, options);
  expect_same_bits_however_much_is_recomputed(c, options);
}

inline std::vector<float> logits(const NetworkProblem& c, const EngineOptions& options, int threads = 1) {
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
inline double loss_of(const NetworkProblem& c, const std::vector<float>& logits) {
  const auto classes = static_cast<std::size_t>(c.model.config.classes);
  double sum = 0;
  for (std::size_t b = 0; b < c.labels.size(); ++b) {
    double total = 0;
    for (std::size_t k = 0; k < classes; ++k) total += std::exp(static_cast<double>(logits[b * classes + k]));
    sum += std::log(total) - static_cast<double>(logits[b * classes + static_cast<std::size_t>(c.labels[b])]);
  }
  return sum;
}

inline void expect_same_answers(const NetworkProblem& c) {
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

inline void expect_int8_near(NetworkProblem& c) {
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

inline void expect_file(const NetworkProblem& c) {
  const TempDir folder;
  const std::filesystem::path path = folder / "part.h5";
  save_model(path, c.model);
  const Model back = load_model(path);
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
  NetworkProblem c(config, kImages);
  expect_training(c, DType::f32);
  if (product_isa() >= Isa::avx512_bf16) {
    expect_training(c, DType::bf16);
    expect_near(logits(c, {.dtype = DType::bf16}), logits(c, {}), 0.05);
  }
  expect_same_answers(c);
  expect_file(c);
  expect_int8_near(c);
}

}  // namespace vit::test
