// The whole training step: directional derivatives of its loss with every random regularisation on, and the same bits
// for any number of threads.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "train/train_step.h"
#include "vit/core/parallel.h"
#include "vit/core/rng.h"
#include "vit/kernels/isa.h"

namespace vit {
namespace {

ModelConfig small_config(const std::string& pooling) {
  ModelConfig c;
  c.name = "small";
  c.image_size = 12;
  c.patch_size = 4;
  c.width = 16;
  c.depth = 3;
  c.heads = 2;
  c.mlp_width = 40;
  c.classes = 5;
  c.pooling = pooling;
  c.layer_scale = true;
  c.layer_scale_init = 0.5f;
  return c;
}

/// A model with weights large enough to matter, and a batch of 13 images: no multiple of the shards.
struct Problem {
  static constexpr int64_t kImages = 13;

  explicit Problem(const ModelConfig& config) : model(make_model(config, 3)) {
    RandomStream random(5, RandomPurpose::test);
    for (float& w : model.weights.span()) w += random.uniform(-0.2f, 0.2f);
    patches = AlignedBuffer<float>(kImages * config.patches() * config.patch_dim());
    for (float& x : patches.span()) x = random.uniform(-1, 1);
    for (int64_t b = 0; b < kImages; ++b) {
      labels.push_back(static_cast<int32_t>(random.below(static_cast<uint64_t>(config.classes))));
      valid.push_back(static_cast<int32_t>(2 + random.below(static_cast<uint64_t>(config.tokens().count()) - 1)));
    }
  }

  TrainStep::Batch batch() const {
    TrainStep::Batch b;
    b.patches = TensorView<const float>(patches.data(), {kImages, model.config.patches(), model.config.patch_dim()});
    b.targets.labels = labels.data();
    b.valid_tokens = valid.data();
    b.step = 17;
    return b;
  }

  Model model;
  AlignedBuffer<float> patches;
  std::vector<int32_t> labels;
  std::vector<int32_t> valid;
};

StepOptions all_regularization(DType dtype) {
  StepOptions o;
  o.dtype = dtype;
  o.objective = make_objective({.label_smoothing = 0.1f});
  o.dropout = 0.2f;
  o.attention_dropout = 0.3f;
  o.drop_path = 0.3f;
  o.seed = 11;
  o.micro_batch = 2;
  return o;
}

class Network : public testing::TestWithParam<std::tuple<const char*, DType>> {
 protected:
  void SetUp() override {
    if (dtype() == DType::bf16 && product_isa() < Isa::avx512_bf16) GTEST_SKIP() << "bf16 products need AVX512_BF16";
  }
  const char* pooling() const { return std::get<0>(GetParam()); }
  DType dtype() const { return std::get<1>(GetParam()); }
};

TEST_P(Network, DirectionalDerivatives) {
  Problem problem(small_config(pooling()));
  TrainStep step(problem.model.config, Problem::kImages, all_regularization(dtype()));
  ParameterBlock gradients(problem.model.layout.block_size());
  step.pack(problem.model.weights);
  step.run(problem.batch(), 1, gradients);
  // In fp32 always: a loss in bf16 moves in steps larger than the differences.
  TrainStep fp32(problem.model.config, Problem::kImages, all_regularization(DType::f32));
  ParameterBlock scratch(gradients.size());
  const auto loss_at = [&](const ParameterBlock& weights) {
    fp32.pack(weights);
    return fp32.run(problem.batch(), 0, scratch).loss_sum;
  };
  const bool rounded = dtype() == DType::bf16;
  const double of_slope = rounded ? 0.05 : 0.02, of_magnitude = rounded ? 0.02 : 0.01;
  // One direction a tensor, so that no tensor hides behind another.
  for (std::size_t i = 0; i < problem.model.layout.all().size(); ++i) {
    const Parameter& p = problem.model.layout.all()[i];
    RandomStream random(1, RandomPurpose::test, i);
    ParameterBlock up(gradients.size()), down(gradients.size());
    std::ranges::copy(problem.model.weights.span(), up.data());
    std::ranges::copy(problem.model.weights.span(), down.data());
    double slope = 0, magnitude = 0;
    constexpr float kStep = 2e-3f;
    for (int64_t k = 0; k < p.count; ++k) {
      const float d = random.next_u32() % 2 == 0 ? 1.0f : -1.0f;
      at(up, p)[k] += kStep * d;
      at(down, p)[k] -= kStep * d;
      slope += static_cast<double>(at(gradients, p)[k] * d);
      magnitude += std::fabs(static_cast<double>(at(gradients, p)[k]));
    }
    const double difference = (loss_at(up) - loss_at(down)) / (2 * static_cast<double>(kStep));
    EXPECT_NEAR(slope, difference, of_slope * std::fabs(slope) + of_magnitude * magnitude + 2e-3) << p.name;
  }
}

TEST_P(Network, SameBitsForAnyThreads) {
  Problem problem(small_config(pooling()));
  std::vector<ParameterBlock> results;
  std::vector<double> losses;
  for (int threads : {1, 2, 5, 1}) {
    set_thread_count(threads);
    TrainStep step(problem.model.config, Problem::kImages, all_regularization(dtype()));
    step.pack(problem.model.weights);
    results.emplace_back(problem.model.layout.block_size());
    losses.push_back(step.run(problem.batch(), 1, results.back()).loss_sum);
  }
  set_thread_count(0);
  for (std::size_t i = 1; i < results.size(); ++i) {
    EXPECT_EQ(losses[0], losses[i]);
    EXPECT_EQ(0, std::memcmp(results[0].data(), results[i].data(),
                             static_cast<std::size_t>(results[0].size()) * sizeof(float)));
  }
}

TEST_P(Network, SameBitsHoweverMuchIsComputedAgain) {
  const Problem problem(small_config(pooling()));
  std::vector<ParameterBlock> results;
  for (const Recompute recompute : {Recompute::none, Recompute::attention, Recompute::block}) {
    StepOptions options = all_regularization(dtype());
    options.recompute = recompute;
    TrainStep step(problem.model.config, Problem::kImages, options);
    step.pack(problem.model.weights);
    results.emplace_back(problem.model.layout.block_size());
    step.run(problem.batch(), 1, results.back());
    EXPECT_EQ(0, std::memcmp(results[0].data(), results.back().data(),
                             static_cast<std::size_t>(results[0].size()) * sizeof(float)))
        << static_cast<int>(recompute);
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, Network,
                         testing::Combine(testing::Values("token", "avg"), testing::Values(DType::f32, DType::bf16)),
                         [](const auto& p) {
                           return std::string(std::get<0>(p.param) == std::string("avg") ? "mean_" : "token_") +
                                  std::string(dtype_name(std::get<1>(p.param)));
                         });

}  // namespace
}  // namespace vit
