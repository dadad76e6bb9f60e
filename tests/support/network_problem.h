// A whole network with a batch of noise, and what its training step must keep.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "train/train_step.h"
#include "vit/core/parallel.h"
#include "vit/core/rng.h"
#include "vit/model/model_file.h"

namespace vit::test {

/// A model with weights large enough to matter; images of which some tokens do not count.
struct NetworkProblem {
  NetworkProblem(const ModelConfig& config, int64_t count) : images(count), model(make_model(config, 3)) {
    RandomStream random(5, RandomPurpose::test);
    for (float& w : model.weights.span()) w += random.uniform(-0.2f, 0.2f);
    input = AlignedBuffer<float>(images * config.patches() * config.patch_dim());
    for (float& x : input.span()) x = random.uniform(-1, 1);
    const Tokens tokens = config.tokens();
    for (int64_t b = 0; b < images; ++b) {
      labels.push_back(static_cast<int32_t>(random.below(static_cast<uint64_t>(config.classes))));
      const auto patches = static_cast<int64_t>(random.below(static_cast<uint64_t>(tokens.patches())));
      valid.push_back(static_cast<int32_t>(tokens.prefix + 1 + patches));
    }
  }

  TensorView<const float> rows() const {
    return {input.data(), {images, model.config.patches(), model.config.patch_dim()}};
  }
  TrainStep::Batch batch(bool padded = true) const {
    TrainStep::Batch b;
    b.patches = rows();
    b.targets.labels = labels.data();
    b.valid_tokens = padded ? valid.data() : nullptr;
    b.step = 17;
    return b;
  }
  /// `loss`: the sum of the step, unless null.
  ParameterBlock gradients(const StepOptions& options, double* loss = nullptr) const {
    TrainStep step(model.config, images, options);
    ParameterBlock block(model.layout.block_size());
    step.pack(model.weights);
    const double sum = step.run(batch(), 1, block).loss_sum;
    if (loss != nullptr) *loss = sum;
    return block;
  }

  int64_t images;
  Model model;
  AlignedBuffer<float> input;
  std::vector<int32_t> labels, valid;
};

inline bool same_bits(const ParameterBlock& a, const ParameterBlock& b) {
  return a.size() == b.size() &&
         std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.size()) * sizeof(float)) == 0;
}

struct Slopes {
  float step = 0;       // of the differences
  double absolute = 0;  // error that rounding of the loss may make
};

/// Gradients are slopes of the loss: one direction a tensor, so that none hides behind another. Differences are in fp32
/// always: a loss in bf16 moves in steps larger than they are.
inline void expect_slopes(const NetworkProblem& problem, const StepOptions& options, const Slopes& slopes) {
  const ParameterBlock gradients = problem.gradients(options);
  StepOptions in_fp32 = options;
  in_fp32.dtype = DType::f32;
  TrainStep fp32(problem.model.config, problem.images, in_fp32);
  ParameterBlock scratch(gradients.size());
  const auto loss_at = [&](const ParameterBlock& weights) {
    fp32.pack(weights);
    return fp32.run(problem.batch(), 0, scratch).loss_sum;
  };
  const bool rounded = options.dtype == DType::bf16;
  const double of_slope = rounded ? 0.05 : 0.02, of_magnitude = rounded ? 0.02 : 0.01;
  for (std::size_t i = 0; i < problem.model.layout.all().size(); ++i) {
    const Parameter& p = problem.model.layout.all()[i];
    RandomStream random(1, RandomPurpose::test, i);
    ParameterBlock up(gradients.size()), down(gradients.size());
    std::ranges::copy(problem.model.weights.span(), up.data());
    std::ranges::copy(problem.model.weights.span(), down.data());
    double slope = 0, magnitude = 0;
    for (int64_t k = 0; k < p.count; ++k) {
      const float d = random.next_u32() % 2 == 0 ? 1.0f : -1.0f;
      at(up, p)[k] += slopes.step * d;
      at(down, p)[k] -= slopes.step * d;
      slope += static_cast<double>(at(gradients, p)[k] * d);
      magnitude += std::fabs(static_cast<double>(at(gradients, p)[k]));
    }
    const double difference = (loss_at(up) - loss_at(down)) / (2 * static_cast<double>(slopes.step));
    EXPECT_NEAR(slope, difference, of_slope * std::fabs(slope) + of_magnitude * magnitude + slopes.absolute) << p.name;
  }
}

inline void expect_same_bits_for_any_threads(const NetworkProblem& problem, const StepOptions& options) {
  set_thread_count(1);
  double loss = 0;
  const ParameterBlock want = problem.gradients(options, &loss);
  for (const int threads : {2, 5, 1}) {
    set_thread_count(threads);
    double other = 0;
    EXPECT_TRUE(same_bits(problem.gradients(options, &other), want)) << threads << " threads";
    EXPECT_EQ(other, loss);
  }
  set_thread_count(0);
}

inline void expect_same_bits_however_much_is_recomputed(const NetworkProblem& problem, StepOptions options) {
  options.recompute = Recompute::none;
  const ParameterBlock want = problem.gradients(options);
  for (const Recompute recompute : {Recompute::attention, Recompute::block}) {
    options.recompute = recompute;
    EXPECT_TRUE(same_bits(problem.gradients(options), want)) << static_cast<int>(recompute);
  }
}

}  // namespace vit::test
