// Graphs as ONNX's own library reads them, and their answers beside those of the engine.
#include <gtest/gtest.h>
#include <onnx/checker.h>
#include <onnx/onnx_pb.h>
#include <onnx/shape_inference/implementation.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "infer/engine.h"
#include "infer/export/onnx_file.h"
#include "infer/export/onnx_model.h"
#include "tests/infer/small_model.h"
#include "tests/onnx/evaluator.h"
#include "tests/support/caught_error.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tolerance.h"

namespace vit {
namespace {

using test::OnnxTensor;

struct Case {
  const char* name;
  std::function<void(ModelConfig&)> change;
};

std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

/// Weights that all count: no bias is zero, no scale is one.
Model model_of(const Case& c) {
  Model model = test::small_model({"a", "b", "c"}, "token", c.change);
  RandomStream random(9, RandomPurpose::test);
  for (const Parameter& p : model.layout.all())
    for (int64_t i = 0; !p.role.decay && i < p.count; ++i) at(model.weights, p)[i] += 0.2f * random.normal();
  return model;
}

onnx::ModelProto read_onnx(const std::filesystem::path& path) {
  onnx::ModelProto model;
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(model.ParseFromIstream(&in)) << path;
  return model;
}

onnx::ModelProto written(const Model& model, const test::TempDir& dir, int64_t inline_bytes = kOnnxInlineBytes) {
  const OnnxGraph graph = onnx_graph(model, block_source(model.layout, model.weights));
  const std::filesystem::path path = dir / "model.onnx";
  if (!onnx_data_file(graph, path, inline_bytes).empty()) write_onnx_data(graph, path);
  write_onnx(graph, path, inline_bytes);
  return read_onnx(path);
}

OnnxTensor noise_pixels(const ModelConfig& c, int64_t images) {
  OnnxTensor pixels{{images, 3, c.image_size, c.image_size}, {}, {}};
  RandomStream random(3, RandomPurpose::test);
  for (int64_t i = 0; i < images * 3 * c.image_size * c.image_size; ++i) pixels.values.push_back(random.normal());
  return pixels;
}

/// What the engine answers to the same pixels: logits, or the features of a model without a head.
std::vector<float> answers(const Model& model, const OnnxTensor& pixels) {
  const ModelConfig& c = model.config;
  const int64_t images = pixels.shape[0], p = c.input_patch(), side = c.image_size / p;
  std::vector<float> rows;
  const auto pixel = [&](int64_t image, int64_t channel, int64_t y, int64_t x) {
    return pixels.values[static_cast<std::size_t>(((image * 3 + channel) * c.image_size + y) * c.image_size + x)];
  };
  for (int64_t b = 0; b < images; ++b)
    for (int64_t g = 0; g < side * side; ++g)
      for (int64_t ch = 0; ch < 3; ++ch)
        for (int64_t i = 0; i < p * p; ++i) rows.push_back(pixel(b, ch, g / side * p + i / p, g % side * p + i % p));
  const int64_t width = c.classes > 0 ? c.classes : c.feature_width();
  std::vector<float> out(static_cast<std::size_t>(images * width));
  EngineOutputs outputs;
  (c.classes > 0 ? outputs.logits : outputs.embeddings) = TensorView<float>(out.data(), {images, width});
  Engine engine(model);
  engine.run(TensorView<const float>(rows.data(), {images, c.patches(), c.patch_dim()}), outputs);
  return out;
}

class Onnx : public testing::TestWithParam<Case> {};

TEST_P(Onnx, IsValidForTheLibrary) {
  const test::TempDir dir;
  onnx::ModelProto model = written(model_of(GetParam()), dir);
  ASSERT_NO_THROW(onnx::checker::check_model(model));
  const std::string output = model.graph().output(0).name();
  model.mutable_graph()->mutable_output(0)->mutable_type()->mutable_tensor_type()->clear_shape();
  ASSERT_NO_THROW(onnx::shape_inference::InferShapes(model, onnx::OpSchemaRegistry::Instance(), {true, 1, false}));
  const onnx::TensorShapeProto& shape = model.graph().output(0).type().tensor_type().shape();
  ASSERT_EQ(2, shape.dim_size());
  EXPECT_EQ("batch", shape.dim(0).dim_param());
}

TEST_P(Onnx, AnswersAsTheEngine) {
  const test::TempDir dir;
  const Model model = model_of(GetParam());
  const onnx::ModelProto onnx = written(model, dir);
  for (const int64_t images : {1, 3}) {
    const OnnxTensor pixels = noise_pixels(model.config, images);
    const OnnxTensor got = run_onnx(onnx.graph(), pixels).at(onnx.graph().output(0).name());
    const std::vector<float> want = answers(model, pixels);
    EXPECT_EQ((std::vector<int64_t>{images, static_cast<int64_t>(want.size()) / images}), got.shape);
    test::expect_close(got.values, want, {2e-5, 2e-5});
  }
}

const Case kCases[] = {
    {"token", [](ModelConfig&) {}},
    {"features", [](ModelConfig& c) { c.classes = 0; }},
    {"mean_registers_tanh_scale",
     [](ModelConfig& c) {
       c.pooling = "avg";
       c.class_token = false;
       c.registers = 2;
       c.prefix_position = false;
       c.activation = Activation::gelu_tanh;
       c.layer_scale = true;
       c.layer_scale_init = 0.3f;
     }},
    {"no_prefix",
     [](ModelConfig& c) {
       c.pooling = "avg";
       c.class_token = false;
       c.qkv_bias = false;
       c.position = "sincos_2d";
     }},
    {"rms_swiglu_qk_norm",
     [](ModelConfig& c) {
       c.norm = "rmsnorm";
       c.mlp = "swiglu";
       c.qk_norm = true;
       c.eps = 1e-5f;
     }},
    {"qk_norm", [](ModelConfig& c) { c.qk_norm = true; }},
    {"rope_axial",
     [](ModelConfig& c) {
       c.rope = RopeLayout::axial;
       c.rope_reference = 3;
       c.rope_order = RopeOrder::column_first;
     }},
    {"rope_dinov3",
     [](ModelConfig& c) {
       c.rope = RopeLayout::dinov3;
       c.rope_theta = 100;
       c.position = "none";
     }},
    {"rope_mixed",
     [](ModelConfig& c) {
       c.rope = RopeLayout::mixed;
       c.registers = 1;
     }},
    {"relative_bias", [](ModelConfig& c) { c.relative_bias = true; }},
    {"convolutions_sequence",
     [](ModelConfig& c) {
       c.tokenizer = "conv";
       c.conv_layers = 2;
       c.conv_width = 8;
       c.class_token = false;
       c.pooling = "seq";
     }},
    {"clip",
     [](ModelConfig& c) {
       c.patch_bias = false;
       c.pre_norm = true;
       c.activation = Activation::quick_gelu;
     }},
    {"patch_norm_mean_behind_norm",
     [](ModelConfig& c) {
       c.norm = "rmsnorm";
       c.patch_norm = true;
       c.pooling = "avg";
       c.final_norm = FinalNorm::before;
     }},
    {"token_norm_behind", [](ModelConfig& c) { c.final_norm = FinalNorm::after; }},
    {"no_norm", [](ModelConfig& c) { c.final_norm = FinalNorm::none; }},
    {"distilled",
     [](ModelConfig& c) {
       c.distilled = true;
       c.registers = 1;
     }},
    {"distilled_features",
     [](ModelConfig& c) {
       c.distilled = true;
       c.classes = 0;
     }},
    {"map",
     [](ModelConfig& c) {
       c.pooling = "map";
       c.class_token = false;
     }},
    {"map_prefix_heads",
     [](ModelConfig& c) {
       c.pooling = "map";
       c.registers = 1;
       c.pool_prefix = true;
       c.pool_heads = 4;
     }},
    {"map_grid_behind_prefix", [](ModelConfig& c) { c.pooling = "map"; }},
    {"token_avg_layers",
     [](ModelConfig& c) {
       c.pooling = "token_avg";
       c.readout_layers = 2;
     }},
    {"token_avg_features",
     [](ModelConfig& c) {
       c.pooling = "token_avg";
       c.classes = 0;
     }},
};

INSTANTIATE_TEST_SUITE_P(Parts, Onnx, testing::ValuesIn(kCases),
                         [](const auto& instance) { return std::string(instance.param.name); });

TEST(OnnxFile, CarriesWhatAPredictionDependsOn) {
  const test::TempDir dir;
  Model model = model_of(kCases[0]);
  model.origin = {{"source", "here"}, {"licence", "apache-2.0"}};
  const onnx::ModelProto onnx = written(model, dir);
  EXPECT_EQ(8, onnx.ir_version());
  ASSERT_EQ(1, onnx.opset_import_size());
  EXPECT_EQ(17, onnx.opset_import(0).version());
  std::map<std::string, nlohmann::json> metadata;
  for (const auto& entry : onnx.metadata_props()) metadata[entry.key()] = nlohmann::json::parse(entry.value());
  EXPECT_EQ(model.preprocess, metadata.at("preprocess"));
  EXPECT_EQ((nlohmann::json{"a", "b", "c"}), metadata.at("labels"));
  EXPECT_EQ(model.origin, metadata.at("origin"));
  EXPECT_EQ(to_json(model.config), metadata.at("config"));
}

TEST(OnnxFile, KeepsWeightsUnderTheirNames) {
  const test::TempDir dir;
  const Model model = model_of(kCases[0]);
  const onnx::ModelProto onnx = written(model, dir);
  const auto constant = [&](const std::string& name) {
    for (const auto& tensor : onnx.graph().initializer())
      if (tensor.name() == name) return test::constant_of(tensor);
    ADD_FAILURE() << name;
    return OnnxTensor();
  };
  const Parameter& norm = *model.layout.find("blocks.1.norm2.weight");
  EXPECT_EQ(norm.shape, constant(norm.name).shape);
  const Parameter& fc1 = *model.layout.find("blocks.1.mlp.fc1.weight");
  const OnnxTensor turned = constant(fc1.name + ".T");
  ASSERT_EQ((std::vector<int64_t>{fc1.shape[1], fc1.shape[0]}), turned.shape);
  for (int64_t r = 0; r < fc1.shape[0]; ++r)
    for (int64_t c = 0; c < fc1.shape[1]; ++c)
      ASSERT_EQ(at(model.weights, fc1)[r * fc1.shape[1] + c],
                turned.values[static_cast<std::size_t>(c * fc1.shape[0] + r)]);
}

TEST(OnnxFile, LargeOnesKeepTheirConstantsBesideThem) {
  const test::TempDir dir, whole_dir;
  const Model model = model_of(kCases[2]);
  const onnx::ModelProto whole = written(model, whole_dir), parted = written(model, dir, 1000);
  ASSERT_NO_THROW(onnx::checker::check_model((dir / "model.onnx").string()));
  std::ifstream data(dir / "model.onnx.data", std::ios::binary);
  ASSERT_TRUE(data.good());
  ASSERT_EQ(whole.graph().initializer_size(), parted.graph().initializer_size());
  int outside = 0;
  for (int i = 0; i < whole.graph().initializer_size(); ++i) {
    const onnx::TensorProto &want = whole.graph().initializer(i), &got = parted.graph().initializer(i);
    std::string bytes = got.raw_data();
    if (got.data_location() == onnx::TensorProto::EXTERNAL) {
      ++outside;
      EXPECT_EQ("model.onnx.data", got.external_data(0).value());
      bytes.resize(std::stoul(got.external_data(2).value()));
      data.seekg(std::stol(got.external_data(1).value()));
      data.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    }
    EXPECT_EQ(want.raw_data(), bytes) << got.name();
  }
  EXPECT_GT(outside, 5);
  EXPECT_LT(outside, whole.graph().initializer_size());
}

TEST(OnnxFile, TheSameModelGivesTheSameBytes) {
  const test::TempDir dir, again;
  const Model model = model_of(kCases[0]);
  EXPECT_EQ(written(model, dir).SerializeAsString(), written(model, again).SerializeAsString());
}

TEST(OnnxGraph, APartWithoutFormIsNamed) {
  Model model = model_of(kCases[0]);
  const ParameterSource weights = block_source(model.layout, model.weights);
  model.config.mlp = "own";
  const std::string text = test::error_of(ErrorKind::usage, [&] { onnx_graph(model, weights); });
  EXPECT_TRUE(test::holds(text, {"feed-forward 'own' has no form in ONNX", "mlp, swiglu"}));
}

}  // namespace
}  // namespace vit
