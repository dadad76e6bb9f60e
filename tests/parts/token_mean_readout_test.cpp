// Class tokens of the last blocks beside the mean of the grid.
#include <gtest/gtest.h>

#include "tests/support/caught_error.h"
#include "tests/support/part_check.h"

namespace vit {
namespace {

ModelConfig token_mean_network(int64_t layers) {
  ModelConfig config = test::small_network();
  config.pooling = "token_avg";
  config.depth = 3;
  config.readout_layers = layers;
  return config;
}

TEST(Part, TokenMeanReadout) {
  for (const int64_t layers : {1, 2, 3}) {
    ModelConfig config = token_mean_network(layers);
    config.registers = layers == 2 ? 2 : 0;
    EXPECT_EQ(config.feature_width(), (layers + 1) * config.width);
    test::expect_sound(config);
  }
}

TEST(Part, TokenMeanReadoutWithoutNorm) {
  ModelConfig config = token_mean_network(2);
  config.final_norm = FinalNorm::none;
  test::expect_sound(config);
}

/// The embeddings that an engine gives are what the head reads.
TEST(Part, TokenMeanFeatures) {
  const test::NetworkProblem problem(token_mean_network(2), 4);
  const ModelConfig& config = problem.model.config;
  const int64_t width = config.feature_width();
  for (const EngineMode mode : {EngineMode::throughput, EngineMode::latency}) {
    set_thread_count(2);
    Engine engine(problem.model, {.mode = mode});
    std::vector<float> logits(static_cast<std::size_t>(4 * config.classes)), want = logits;
    std::vector<float> features(static_cast<std::size_t>(4 * width));
    EngineOutputs outputs;
    outputs.logits = TensorView<float>(logits.data(), {4, config.classes});
    outputs.embeddings = TensorView<float>(features.data(), {4, width});
    engine.run(problem.rows(), outputs);
    set_thread_count(0);
    const float* weight = at(problem.model.weights, *problem.model.layout.find("head.weight"));
    const float* bias = at(problem.model.weights, *problem.model.layout.find("head.bias"));
    for (int64_t b = 0; b < 4; ++b)
      for (int64_t c = 0; c < config.classes; ++c) {
        double sum = static_cast<double>(bias[c]);
        for (int64_t i = 0; i < width; ++i)
          sum += static_cast<double>(weight[c * width + i]) *
                 static_cast<double>(features[static_cast<std::size_t>(b * width + i)]);
        want[static_cast<std::size_t>(b * config.classes + c)] = static_cast<float>(sum);
      }
    test::expect_close(logits, want, test::kFp32Network);
  }
}

TEST(Part, TokenMeanReadoutNamesWhatDoesNotFit) {
  ModelConfig config = token_mean_network(4);
  config.class_token = false;
  const std::string text = test::error_of(ErrorKind::usage, [&] { validate(config); });
  EXPECT_TRUE(test::holds(text, {"readout_layers 4 is more than depth 3"}));
  EXPECT_TRUE(test::holds(text, {"needs class_token"}));
}

}  // namespace
}  // namespace vit
