// The same training as PyTorch and timm did in double (make_goldens.py): losses, gradients and weights.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "infer/engine.h"
#include "preprocess/patchify.h"
#include "tests/support/tolerance.h"
#include "train/optimizer.h"
#include "train/train_step.h"
#include "vit/io/hdf5.h"
#include "vit/kernels/isa.h"
#include "vit/model/model_file.h"

namespace vit {
namespace {

using test::is_close;
using test::Tolerance;

constexpr Tolerance kLoss{0, 1e-5};
constexpr Tolerance kBf16Loss{0, 0.02};
constexpr double kGradient = 1e-4;       // of the largest gradient of the tensor
constexpr double kNoise = 1e-7;          // key biases have no gradient but rounding
constexpr double kNoGradient = 1e-12;    // in double; what is below is rounding of that
constexpr Tolerance kRounding{1e-6, 0};  // of fp32, where a whole tensor has no gradient
constexpr double kWay = 1e-3;            // of the learning rates of all steps together

class Golden : public testing::TestWithParam<const char*> {
 protected:
  Golden() : file_(h5::File::open(std::string(VIT_SOURCE_DIR "/tests/golden/") + GetParam() + ".h5")) {
    std::vector<uint8_t> text(static_cast<std::size_t>(file_.info("/case").shape.at(0)));
    file_.read("/case", std::span<uint8_t>(text));
    case_ = nlohmann::json::parse(text.begin(), text.end());
    nlohmann::json config{{"name", GetParam()}, {"channels", 3}, {"position", "learned"}, {"layer_scale_init", 0.1}};
    config.update(case_["config"]);
    model_.config = model_config_from_json(config, GetParam());
    model_.layout = parameter_layout(model_.config);
    EXPECT_EQ(file_.children("/before").size(), model_.layout.all().size());  // none that we do not know
    model_.weights = block("/before/");
  }

  template <class T = float>
  std::vector<T> values(const std::string& name) const {
    int64_t count = 1;
    for (int64_t n : file_.info(name).shape) count *= n;
    std::vector<T> out(static_cast<std::size_t>(count));
    file_.read(name, std::span<T>(out));
    return out;
  }

  /// [steps, B, 3, S, S]; bytes stand for (byte - 128) / 64.
  std::vector<float> pixels() const {
    if (file_.info("/pixels").type == h5::Type::f32) return values("/pixels");
    std::vector<float> out;
    for (uint8_t byte : values<uint8_t>("/pixels")) out.push_back((static_cast<float>(byte) - 128) / 64);
    return out;
  }

  ParameterBlock block(const std::string& group) const {
    ParameterBlock out(model_.layout.block_size());
    for (const Parameter& p : model_.layout.all()) {
      EXPECT_EQ(file_.info(group + p.name).shape, p.shape) << p.name;
      std::ranges::copy(values(group + p.name), at(out, p));
    }
    return out;
  }

  /// Input rows [B, patches, 3*P*P] of the pixels [B, 3, S, S] of one step.
  AlignedBuffer<float> patches(int64_t step) const {
    const ModelConfig& c = model_.config;
    const std::vector<float> all = pixels();
    const int64_t batch = case_["batch"], size = c.image_size, p = c.input_patch();
    AlignedBuffer<float> out(batch * c.patches() * c.patch_dim());
    int64_t o = 0;
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t gy = 0; gy < size / p; ++gy)
        for (int64_t gx = 0; gx < size / p; ++gx)
          for (int64_t ch = 0; ch < 3; ++ch)
            for (int64_t y = 0; y < p; ++y)
              for (int64_t x = 0; x < p; ++x)
                out[o++] = all[static_cast<std::size_t>((((step * batch + b) * 3 + ch) * size + gy * p + y) * size +
                                                        gx * p + x)];
    return out;
  }

  /// Every tensor of `got` against the file's, relative to the tensor's largest element.
  void expect_gradients(const ParameterBlock& got) const {
    for (const Parameter& p : model_.layout.all()) {
      const std::vector<float> want = values("/gradients/" + p.name);
      double largest = 0;
      for (float w : want) largest = std::max(largest, std::fabs(static_cast<double>(w)));
      const Tolerance relative{kNoise + kGradient * largest, 0};
      EXPECT_TRUE(is_close(std::span<const float>(at(got, p), want.size()), std::span<const float>(want),
                           largest < kNoGradient ? kRounding : relative))
          << "gradient of " << p.name;
    }
  }

  /// The weights after the steps, relative to the way that a weight goes in them. AdamW makes steps of the rounding of
  /// those without a gradient (key biases, say): anywhere, but no farther than others go.
  void expect_weights_after() const {
    const double way = case_["steps"].get<double>() * case_["lr"].get<double>();
    for (const Parameter& p : model_.layout.all()) {
      const std::vector<float> want = values("/after/" + p.name), gradient = values("/gradients/" + p.name);
      for (std::size_t i = 0; i < want.size(); ++i) {
        const double limit = std::fabs(static_cast<double>(gradient[i])) < kNoGradient ? way : kWay * way;
        const double error = std::fabs(static_cast<double>(at(model_.weights, p)[i]) - static_cast<double>(want[i]));
        ASSERT_TRUE(error <= limit) << p.name << '[' << i << "] is " << error << " from the expected weight";
      }
    }
  }

  /// The loss of each step; in fp32 the gradients of the last one and the weights after it are compared, too.
  std::vector<float> adamw_steps(DType dtype) {
    const int64_t batch = case_["batch"], steps = case_["steps"];
    StepOptions options;
    options.dtype = dtype;
    options.objective = make_objective({.label_smoothing = case_["smoothing"]});
    TrainStep train(model_.config, batch, options);
    const Optimizer optimizer(model_.layout, {.weight_decay = case_["weight_decay"],
                                              .beta1 = case_["betas"][0],
                                              .beta2 = case_["betas"][1],
                                              .adam_eps = case_["adam_eps"],
                                              .clip_norm = case_["clip"]});
    OptimizerState state = optimizer.make_state();
    ParameterBlock gradients(model_.layout.block_size());
    std::vector<int32_t> labels(static_cast<std::size_t>(steps * batch));
    file_.read("/labels", std::span<int32_t>(labels));
    std::vector<float> losses;
    for (int64_t s = 0; s < steps; ++s) {
      const AlignedBuffer<float> rows = patches(s);
      clear(gradients);
      train.pack(model_.weights);
      TrainStep::Batch b;
      b.patches = TensorView<const float>(rows.data(), {batch, model_.config.patches(), model_.config.patch_dim()});
      b.targets.labels = labels.data() + s * batch;
      b.step = s;
      const StepResult result = train.run(b, 1 / static_cast<float>(batch), gradients);
      losses.push_back(static_cast<float>(result.loss_sum / static_cast<double>(batch)));
      if (s == steps - 1 && dtype == DType::f32) expect_gradients(gradients);
      optimizer.step(case_["lr"], 1, gradients, model_.weights, state);
    }
    if (dtype == DType::f32) expect_weights_after();
    return losses;
  }

  h5::File file_;
  nlohmann::json case_;
  Model model_;
};

TEST_P(Golden, LogitsOfTheEngine) {
  const int64_t batch = case_["batch"];
  const AlignedBuffer<float> rows = patches(0);
  std::vector<float> logits(static_cast<std::size_t>(batch * model_.config.classes));
  Engine engine(model_);
  EngineOutputs outputs;
  outputs.logits = TensorView<float>(logits.data(), {batch, model_.config.classes});
  engine.run(TensorView<const float>(rows.data(), {batch, model_.config.patches(), model_.config.patch_dim()}),
             outputs);
  test::expect_close(logits, values("/logits"), {1e-5, 1e-5});
}

TEST_P(Golden, AdamwSteps) { test::expect_close(adamw_steps(DType::f32), values("/losses"), kLoss); }

TEST_P(Golden, AdamwStepsInBf16) {
  if (product_isa() < Isa::avx512_bf16) GTEST_SKIP() << "bf16 products need AVX512_BF16";
  test::expect_close(adamw_steps(DType::bf16), values("/losses"), kBf16Loss);
}

constexpr const char* kCases[] = {
    "token_erf",
    "mean_tanh_scale",
    "registers",
    "registers_grid_position",
    "qk_norm",
    "swiglu",
    "rmsnorm",
    "rmsnorm_swiglu_qk",
    "rope_axial",
    "rope_axial_reference",
    "rope_axial_qk_norm",
    "rope_dinov3",
    "rope_mixed",
    "seq_pooling",
    "conv_tokenizer",
    "conv_tokenizer_seq",
    "distilled",
    "map_pooling",
    "map_pooling_prefix",
    "token_avg",
    "token_avg_layers",
    "relative_bias",
    "relative_bias_grid",
    "pre_norm_quick_gelu",
    "patch_norm",
    "attention_mlp_norm",
    "rope_swiglu_norms",
    "mean_of_normed",
    "normed_token",
    "no_final_norm",
    "seq_pooling_normed",
};

INSTANTIATE_TEST_SUITE_P(Cases, Golden, testing::ValuesIn(kCases),
                         [](const auto& instance) { return std::string(instance.param); });

}  // namespace
}  // namespace vit
