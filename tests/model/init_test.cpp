// What fresh weights are drawn from, and what each parameter is for.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "vit/model/model_file.h"

namespace vit {
namespace {

constexpr int64_t kWidth = 64;

/// Large enough that a deviation is known to a few per cent.
ModelConfig wide_config() {
  ModelConfig c;
  c.name = "wide";
  c.image_size = 32;
  c.patch_size = 4;
  c.width = kWidth;
  c.depth = 2;
  c.heads = 2;
  c.mlp_width = 96;
  c.classes = 10;
  return c;
}

struct Values {
  double mean = 0, deviation = 0, largest = 0;
};

Values values_of(const Model& model, const std::string& name) {
  const Parameter* p = model.layout.find(name);
  if (p == nullptr) {
    ADD_FAILURE() << name << " is missing";
    return {};
  }
  Values v;
  double squares = 0;
  for (int64_t i = 0; i < p->count; ++i) {
    const auto x = static_cast<double>(at(model.weights, *p)[i]);
    v.mean += x / static_cast<double>(p->count);
    squares += x * x / static_cast<double>(p->count);
    v.largest = std::max(v.largest, std::abs(x));
  }
  v.deviation = std::sqrt(squares - v.mean * v.mean);
  return v;
}

/// A normal distribution that is cut off at two of its deviations has 0.8796 of them.
void expect_truncated_normal(const Model& model, const std::string& name, double deviation) {
  const Values v = values_of(model, name);
  EXPECT_NEAR(v.deviation, 0.8796 * deviation, 0.08 * deviation) << name;
  EXPECT_NEAR(v.mean, 0, 0.1 * deviation) << name;
  EXPECT_LE(v.largest, 2.0001 * deviation) << name;
}

void expect_uniform(const Model& model, const std::string& name, double bound) {
  const Values v = values_of(model, name);
  EXPECT_NEAR(v.deviation, bound / std::sqrt(3.0), 0.15 * bound) << name;
  EXPECT_LE(v.largest, 1.0001 * bound) << name;
  EXPECT_GT(v.largest, 0.9 * bound) << name;
}

void expect_constant(const Model& model, const std::string& name, double value) {
  const Values v = values_of(model, name);
  EXPECT_NEAR(v.mean, value, 1e-6) << name;
  EXPECT_NEAR(v.deviation, 0, 1e-3) << name;
}

// timm's vit_base_patch16_224 without weights: trunc_normal_ of 0.02 for Linears and positions, 1e-6 for the class
// token, nn.Conv2d's own draw for the patches.
TEST(FreshWeights, OfAPlainModelAreTimms) {
  ModelConfig config = wide_config();
  config.layer_scale = true;
  config.layer_scale_init = 0.25f;
  const Model model = make_model(config, 1);
  for (const char* name : {"pos_embed", "head.weight", "blocks.0.attn.qkv.weight", "blocks.1.attn.proj.weight",
                           "blocks.0.mlp.fc1.weight", "blocks.1.mlp.fc2.weight"})
    expect_truncated_normal(model, name, 0.02);
  EXPECT_LE(values_of(model, "cls_token").largest, 2.0001e-6);
  EXPECT_GT(values_of(model, "cls_token").deviation, 0.6e-6);
  for (const char* name : {"patch_embed.proj.weight", "patch_embed.proj.bias"})
    expect_uniform(model, name, 1 / std::sqrt(3.0 * 4 * 4));
  for (const char* name : {"norm.weight", "blocks.0.norm1.weight", "blocks.1.norm2.weight"})
    expect_constant(model, name, 1);
  for (const char* name : {"norm.bias", "blocks.0.norm1.bias", "blocks.0.attn.qkv.bias", "blocks.1.attn.proj.bias",
                           "blocks.0.mlp.fc1.bias", "blocks.1.mlp.fc2.bias", "head.bias"})
    expect_constant(model, name, 0);
  for (const char* name : {"blocks.0.ls1.gamma", "blocks.1.ls2.gamma"}) expect_constant(model, name, 0.25);
}

TEST(FreshWeights, OfOtherParts) {
  ModelConfig config = wide_config();
  config.registers = 4;
  config.norm = "rmsnorm";
  config.mlp = "swiglu";
  config.qk_norm = true;
  config.relative_bias = true;
  config.pooling = "seq";
  const Model model = make_model(config, 1);
  EXPECT_LE(values_of(model, "reg_token").largest, 2.0001e-6);
  EXPECT_GT(values_of(model, "reg_token").deviation, 0.7e-6);
  for (const char* name :
       {"norm.weight", "blocks.0.norm1.weight", "blocks.0.attn.q_norm.weight", "blocks.1.attn.k_norm.weight"})
    expect_constant(model, name, 1);
  for (const char* name :
       {"blocks.0.attn.relative_position_bias_table", "blocks.0.mlp.fc1.weight", "blocks.1.mlp.fc2.weight"})
    expect_truncated_normal(model, name, 0.02);
  EXPECT_NEAR(values_of(model, "attention_pool.weight").deviation, 0.0176, 0.005);
}

TEST(FreshWeights, OfNorms) {
  ModelConfig config = wide_config();
  config.patch_norm = config.pre_norm = config.attention_norm = config.mlp_norm = true;
  config.final_norm = FinalNorm::after;
  const Model model = make_model(config, 1);
  for (const char* name : {"patch_embed.norm", "norm_pre", "blocks.0.attn.norm", "blocks.1.mlp.norm", "fc_norm"}) {
    expect_constant(model, std::string(name) + ".weight", 1);
    expect_constant(model, std::string(name) + ".bias", 0);
  }
}

// He et al., arXiv:1502.01852, as Hassani et al. draw them: the variance is 2 / fan_in.
TEST(FreshWeights, OfConvolutionsAreHes) {
  ModelConfig config = wide_config();
  config.tokenizer = "conv";
  config.conv_layers = 2;
  config.conv_kernel = 5;
  config.conv_width = 16;
  const Model model = make_model(config, 1);
  expect_truncated_normal(model, "tokenizer.conv_layers.0.0.weight", std::sqrt(2.0 / (3 * 25)));
  expect_truncated_normal(model, "tokenizer.conv_layers.1.0.weight", std::sqrt(2.0 / (16 * 25)));
}

// Heo et al., arXiv:2403.13298: magnitudes theta^(-4k / K), each head in a direction of its own, the second half of the
// pairs across it.
TEST(FreshWeights, OfMixedRotations) {
  ModelConfig config = wide_config();
  config.rope = RopeLayout::mixed;
  config.rope_theta = 10;
  config.depth = config.heads = 4;
  const Model model = make_model(config, 1);
  const Parameter& p = *model.layout.find("rope.freqs");
  constexpr int64_t kPairs = kWidth / 4 / 2, kHalf = kPairs / 2, kHeads = 4 * 4;
  ASSERT_EQ(p.shape, (std::vector<int64_t>{2, 4, 4, kPairs}));
  std::vector<double> directions;
  for (int64_t head = 0; head < kHeads; ++head) {
    const float* column = at(model.weights, p) + head * kPairs;
    const float* row = column + kHeads * kPairs;
    const auto turned = [&](int64_t k) {
      return std::atan2(static_cast<double>(row[k]), static_cast<double>(column[k]));
    };
    directions.push_back(turned(0));
    for (int64_t k = 0; k < kPairs; ++k) {
      const double magnitude = std::pow(10.0, -static_cast<double>(k % kHalf) / static_cast<double>(kHalf));
      EXPECT_NEAR(std::hypot(column[k], row[k]), magnitude, 1e-6) << head << ", " << k;
      const double across =
          std::remainder(turned(k) - turned(0) - (k < kHalf ? 0 : std::acos(0.0)), 4 * std::acos(0.0));
      EXPECT_NEAR(across, 0, 1e-5) << head << ", " << k;
    }
  }
  std::sort(directions.begin(), directions.end());
  for (std::size_t i = 1; i < directions.size(); ++i) EXPECT_GT(directions[i] - directions[i - 1], 1e-3);
  EXPECT_GT(directions.back() - directions.front(), 3.15);  // drawn from more than half of the circle
}

std::vector<std::string> names_where(const Model& model, bool ParameterRole::*member) {
  std::vector<std::string> names;
  for (const Parameter& p : model.layout.all())
    if (p.role.*member) names.push_back(p.name);
  return names;
}

TEST(ParameterRoles, AreThoseOfThePart) {
  ModelConfig config = wide_config();
  config.depth = 1;
  config.class_token = false;
  config.registers = 1;
  config.tokenizer = "conv";
  config.mlp = "swiglu";
  config.qk_norm = true;
  config.rope = RopeLayout::mixed;
  config.relative_bias = true;
  config.pooling = "seq";
  const Model model = make_model(config, 1);
  const std::vector<std::string> products{"blocks.0.attn.qkv.weight", "blocks.0.attn.proj.weight",
                                          "blocks.0.mlp.fc1.weight", "blocks.0.mlp.fc2.weight"};
  EXPECT_EQ(names_where(model, &ParameterRole::product), products);
  EXPECT_EQ(names_where(model, &ParameterRole::task), (std::vector<std::string>{"head.weight", "head.bias"}));
  std::vector<std::string> decayed = names_where(model, &ParameterRole::decay);
  std::vector<std::string> wanted = products;
  for (const char* name : {"tokenizer.conv_layers.0.0.weight", "attention_pool.weight", "head.weight"})
    wanted.emplace_back(name);
  std::sort(decayed.begin(), decayed.end());
  std::sort(wanted.begin(), wanted.end());
  EXPECT_EQ(decayed, wanted);
  for (const Parameter& p : model.layout.all()) EXPECT_TRUE(p.role.trainable) << p.name;
}

}  // namespace
}  // namespace vit
