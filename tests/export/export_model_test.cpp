// Exports in other programs' names: what is written comes back to the bit, and what cannot be said is refused by name.
#include "infer/export/export_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <functional>
#include <nlohmann/json.hpp>

#include "infer/import_model.h"
#include "tests/infer/small_model.h"
#include "tests/support/caught_error.h"
#include "tests/support/temp_dir.h"
#include "vit/core/json_text.h"
#include "vit/io/atomic_file.h"
#include "vit/io/tensor_file.h"

namespace vit {
namespace {

using Change = std::function<void(ModelConfig&)>;

Model model_of(const Change& change) {
  Model model = test::small_model({"cat", "dog", "newt"}, "token", change);
  RandomStream random(9, RandomPurpose::test);
  for (const Parameter& p : model.layout.all())
    for (int64_t i = 0; !p.role.decay && i < p.count; ++i) at(model.weights, p)[i] += 0.2f * random.normal();
  // DINOv3's keys have no biases in transformers.
  for (const Parameter& p : model.layout.all())
    if (model.config.rope == RopeLayout::dinov3 && p.name.ends_with(".qkv.bias"))
      std::fill_n(at(model.weights, p) + p.count / 3, p.count / 3, 0.0f);
  model.origin = {{"source", "https://example.org/m"}, {"licence", "apache-2.0"}};
  return model;
}

OpenModel opened(const Model& model) {
  OpenModel open;
  open.model.config = model.config;
  open.model.preprocess = model.preprocess;
  open.model.class_names = model.class_names;
  open.model.origin = model.origin;
  open.model.layout = model.layout;
  open.weights = block_source(model.layout, model.weights);
  return open;
}

ExportPlan plan(const Model& model, const std::filesystem::path& out, ExportSchema schema) {
  return plan_export(opened(model), out, {.schema = schema});
}

void write(const Model& model, const std::filesystem::path& out, ExportSchema schema) {
  const OpenModel open = opened(model);
  write_export(plan_export(open, out, {.schema = schema}), out);
}

nlohmann::json json_of(const std::filesystem::path& path) { return parse_json_text(read_file(path, 1 << 20)); }

void expect_same_bits(const Model& want, const OpenModel& got) {
  ASSERT_EQ(want.layout.all().size(), got.model.layout.all().size());
  for (const Parameter& p : want.layout.all()) {
    const Parameter* back = got.model.layout.find(p.name);
    ASSERT_NE(nullptr, back) << p.name;
    ASSERT_EQ(p.shape, back->shape) << p.name;
    const ParameterValues values = got.weights(static_cast<int>(back - got.model.layout.all().data()));
    for (int64_t i = 0; i < p.count; ++i)
      ASSERT_EQ(std::bit_cast<uint32_t>(at(want.weights, p)[i]), std::bit_cast<uint32_t>(values.data[i])) << p.name;
  }
}

/// Fields that say nothing of what the model computes are left out.
nlohmann::json computed(ModelConfig config) {
  config.name = "any";
  config.layer_scale_init = 0;
  return to_json(config);
}

/// The preprocessing but for what few pictures show.
nlohmann::json seen(const Model& model) {
  PreprocessConfig config = preprocess_config_from_json(model.preprocess, "model");
  config.decoding = {};
  config.crop_rounding = {};
  return to_json(config);
}

struct Case {
  const char* name;
  ExportSchema schema;
  Change change;
};
std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

class RoundTrip : public testing::TestWithParam<Case> {};

TEST_P(RoundTrip, FolderComesBackToTheBit) {
  const test::TempDir dir;
  const Model model = model_of(GetParam().change);
  write(model, dir / "out", GetParam().schema);
  const OpenModel back = import_model(dir / "out").open;
  EXPECT_EQ(computed(model.config), computed(back.model.config));
  expect_same_bits(model, back);
  if (model.config.classes > 0) {
    EXPECT_EQ(model.class_names, back.model.class_names);
  }
  EXPECT_EQ(model.origin["source"], back.model.origin["source"]);
  EXPECT_EQ(model.origin["licence"], back.model.origin["licence"]);
  EXPECT_EQ(seen(model), seen(back.model));
}

TEST_P(RoundTrip, OneFileComesBackToTheBit) {
  const test::TempDir dir;
  const Model model = model_of(GetParam().change);
  write(model, dir / "out.safetensors", GetParam().schema);
  write(model, dir / "folder", GetParam().schema);
  EXPECT_EQ(read_file(dir / "folder" / "model.safetensors", 1 << 24), read_file(dir / "out.safetensors", 1 << 24));
}

const Change kPlain = [](ModelConfig&) {};
const Change kDinov2 = [](ModelConfig& c) {
  c.layer_scale = true;
  c.layer_scale_init = 0.5f;
  c.pooling = "token_avg";
};

const Case kCases[] = {
    {"timm_plain", ExportSchema::timm, kPlain},
    {"timm_mean_registers", ExportSchema::timm,
     [](ModelConfig& c) {
       c.pooling = "avg";
       c.class_token = false;
       c.registers = 2;
       c.prefix_position = false;
       c.layer_scale = true;
       c.activation = Activation::gelu_tanh;
     }},
    {"timm_clip", ExportSchema::timm,
     [](ModelConfig& c) {
       c.patch_bias = false;
       c.pre_norm = true;
       c.eps = 1e-5f;
       c.activation = Activation::quick_gelu;
     }},
    {"timm_norms", ExportSchema::timm,
     [](ModelConfig& c) {
       c.eps = 1e-5f;
       c.attention_norm = true;
       c.mlp_norm = true;
       c.qk_norm = true;
     }},
    {"timm_rms_swiglu", ExportSchema::timm,
     [](ModelConfig& c) {
       c.norm = "rmsnorm";
       c.mlp = "swiglu";
       c.patch_norm = true;
       c.eps = 1e-5f;
       c.qkv_bias = false;
     }},
    {"timm_map", ExportSchema::timm,
     [](ModelConfig& c) {
       c.pooling = "map";
       c.class_token = false;
     }},
    {"timm_distilled", ExportSchema::timm, [](ModelConfig& c) { c.distilled = true; }},
    {"timm_rope_mixed", ExportSchema::timm,
     [](ModelConfig& c) {
       c.rope = RopeLayout::mixed;
       c.mlp = "swiglu";
     }},
    {"timm_rope_axial", ExportSchema::timm,
     [](ModelConfig& c) {
       c.rope = RopeLayout::axial;
       c.rope_theta = 100;
       c.position = "none";
     }},
    {"timm_dinov3", ExportSchema::timm,
     [](ModelConfig& c) {
       c.rope = RopeLayout::dinov3;
       c.rope_theta = 100;
       c.position = "none";
       c.eps = 1e-5f;
       c.registers = 4;
       c.qkv_bias = false;
       c.layer_scale = true;
     }},
    {"hf_vit", ExportSchema::hf,
     [](ModelConfig& c) {
       c.activation = Activation::gelu_tanh;
       c.eps = 1e-12f;
     }},
    {"hf_deit", ExportSchema::hf, [](ModelConfig& c) { c.distilled = true; }},
    {"hf_dinov2", ExportSchema::hf, kDinov2},
    {"hf_dinov2_gated", ExportSchema::hf,
     [](ModelConfig& c) {
       kDinov2(c);
       c.mlp = "swiglu";
       c.mlp_width = 64;
     }},
    {"hf_dinov3", ExportSchema::hf,
     [](ModelConfig& c) {
       c.rope = RopeLayout::dinov3;
       c.rope_theta = 100;
       c.position = "none";
       c.eps = 1e-5f;
       c.registers = 4;
       c.layer_scale = true;
       c.classes = 0;
     }},
    {"hf_clip", ExportSchema::hf,
     [](ModelConfig& c) {
       c.patch_bias = false;
       c.pre_norm = true;
       c.eps = 1e-5f;
       c.activation = Activation::quick_gelu;
       c.classes = 0;
     }},
    {"hf_siglip", ExportSchema::hf,
     [](ModelConfig& c) {
       c.pooling = "map";
       c.class_token = false;
       c.activation = Activation::gelu_tanh;
       c.classes = 0;
     }},
    {"torchvision_plain", ExportSchema::torchvision, kPlain},
};

INSTANTIATE_TEST_SUITE_P(Schemas, RoundTrip, testing::ValuesIn(kCases),
                         [](const auto& instance) { return std::string(instance.param.name); });

TEST(ExportModel, TimmIsToldTheModel) {
  const test::TempDir dir;
  write(model_of(kPlain), dir / "out", ExportSchema::timm);
  const nlohmann::json config = json_of(dir / "out" / "config.json");
  EXPECT_EQ("vit_base_patch16_224", config["architecture"]);
  EXPECT_EQ((nlohmann::json{"cat", "dog", "newt"}), config["label_names"]);
  EXPECT_EQ(16, config["model_args"]["img_size"]);
  EXPECT_EQ(2.0, config["model_args"]["mlp_ratio"]);
  EXPECT_EQ((nlohmann::json{3, 16, 16}), config["pretrained_cfg"]["input_size"]);
  EXPECT_EQ("apache-2.0", config["pretrained_cfg"]["license"]);
  EXPECT_EQ("https://example.org/m", config["pretrained_cfg"]["origin_url"]);
  EXPECT_EQ("bicubic", config["pretrained_cfg"]["interpolation"]);
}

TEST(ExportModel, TransformersAreToldTheModel) {
  const test::TempDir dir;
  write(model_of(kPlain), dir / "out", ExportSchema::hf);
  const nlohmann::json config = json_of(dir / "out" / "config.json");
  EXPECT_EQ("vit", config["model_type"]);
  EXPECT_EQ("ViTForImageClassification", config["architectures"][0]);
  EXPECT_EQ("dog", config["id2label"]["1"]);
  EXPECT_EQ(1, config["label2id"]["dog"]);
  const nlohmann::json pixels = json_of(dir / "out" / "preprocessor_config.json");
  EXPECT_EQ(3, pixels["resample"]);
  EXPECT_EQ((nlohmann::json{0.5, 0.5, 0.5}), pixels["image_mean"]);
}

TEST(ExportModel, WeightsSayWhereTheyComeFrom) {
  const test::TempDir dir;
  write(model_of(kPlain), dir / "m.safetensors", ExportSchema::timm);
  const auto file = open_tensor_file(dir / "m.safetensors");
  EXPECT_EQ("pt", file->metadata().at("format"));
  EXPECT_EQ("apache-2.0", file->metadata().at("licence"));
  EXPECT_EQ("https://example.org/m", file->metadata().at("source"));
}

TEST(ExportModel, WhatASchemaCannotSayIsNamed) {
  const auto error = [](ExportSchema schema, const Change& change) {
    return test::error_of(ErrorKind::usage, [&] { plan(model_of(change), "out", schema); });
  };
  EXPECT_TRUE(test::holds(error(ExportSchema::torchvision,
                                [](ModelConfig& c) {
                                  c.eps = 1e-5f;
                                  c.registers = 2;
                                }),
                          {"torchvision", "eps: needs 1e-06, has 1e-05", "registers: needs 0, has 2"}));
  EXPECT_TRUE(test::holds(error(ExportSchema::timm, [](ModelConfig& c) { c.relative_bias = true; }),
                          {"timm", "relative_bias: needs false, has true"}));
  EXPECT_TRUE(test::holds(error(ExportSchema::timm, [](ModelConfig& c) { c.eps = 1e-4f; }), {"timm", "eps 0.0001"}));
  EXPECT_TRUE(test::holds(error(ExportSchema::hf, [](ModelConfig& c) { c.qk_norm = true; }),
                          {"hf vit", "qk_norm: needs false, has true"}));
  EXPECT_TRUE(test::holds(error(ExportSchema::hf,
                                [](ModelConfig& c) {
                                  kDinov2(c);
                                  c.pooling = "token";
                                }),
                          {"hf dinov2", "pooling: needs token_avg, has token"}));
}

TEST(ExportModel, PreprocessingWithoutWordsIsNamed) {
  Model model = model_of(kPlain);
  PreprocessConfig preprocess;
  preprocess.size = preprocess.resize_size = 16;
  preprocess.rule = ResizeRule::longer_side;
  model.preprocess = to_json(preprocess);
  const std::string text = test::error_of(ErrorKind::usage, [&] { plan(model, "out", ExportSchema::hf); });
  EXPECT_TRUE(test::holds(text, {"transformers has no words", "rule is", "longer_side", "OUT.safetensors"}));
  EXPECT_EQ(1u, plan(model, "out.safetensors", ExportSchema::hf).files.size());
}

}  // namespace
}  // namespace vit
