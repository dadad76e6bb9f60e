// Model files with int8 weights: round trip, and what is refused.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <set>

#include "tests/model/small_config.h"
#include "tests/support/temp_dir.h"
#include "vit/io/hdf5.h"
#include "vit/kernels/quantize.h"
#include "vit/model/model_file.h"

namespace vit {
namespace {

const std::string kQkv = "blocks.0.attn.qkv.weight";
const std::string kFc2 = "blocks.1.mlp.fc2.weight";

Model make_quantized() {
  Model model = make_model(test::small_config(), 1);
  model.preprocess = {{"size", 8}};
  model.quantization.input_scales = {{kQkv, 0.1f}, {kFc2, 1.0f / 3}};
  model.quantization.record = {{"images", 4}};
  return model;
}

std::vector<float> values_of(const Model& model, const std::string& name) {
  const Parameter& p = *model.layout.find(name);
  return {at(model.weights, p), at(model.weights, p) + p.count};
}

QuantizedRows rows_of(const Model& model, const std::string& name) {
  const Parameter& p = *model.layout.find(name);
  return quantize_rows({at(model.weights, p), {p.shape[0], p.shape[1]}});
}

bool same(const AlignedBuffer<int8_t>& a, const AlignedBuffer<int8_t>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.size())) == 0;
}

TEST(QuantizedFile, KeepsInt8ValuesScalesAndAllElse) {
  const test::TempDir dir;
  const Model model = make_quantized();
  save_model(dir.path() / "m.h5", model);
  const Model back = load_model(dir.path() / "m.h5");
  EXPECT_EQ(back.quantization.input_scales, model.quantization.input_scales);
  EXPECT_EQ(back.quantization.record, model.quantization.record);
  for (const Parameter& p : model.layout.all()) {
    if (!model.quantization.contains(p.name)) {
      EXPECT_EQ(values_of(back, p.name), values_of(model, p.name)) << p.name;
      continue;
    }
    const QuantizedRows rows = rows_of(model, p.name);
    const std::vector<float> read = values_of(back, p.name);
    for (std::size_t i = 0; i < read.size(); ++i)
      ASSERT_EQ(read[i], static_cast<float>(rows.values[static_cast<int64_t>(i)]) *
                             rows.scales[i / static_cast<std::size_t>(p.shape[1])])
          << p.name << " " << i;
    EXPECT_TRUE(same(rows_of(back, p.name).values, rows.values)) << p.name;
  }
  // One weight at a time gives the same.
  const OpenModel open = open_model(dir.path() / "m.h5");
  const auto& all = open.model.layout.all();
  for (std::size_t i = 0; i < all.size(); ++i) {
    const ParameterValues values = open.weights(static_cast<int>(i));
    EXPECT_EQ(std::vector<float>(values.data, values.data + all[i].count), values_of(back, all[i].name));
  }
}

TEST(QuantizedFile, WeightsAreBytesAndTheVersionSaysSo) {
  const test::TempDir dir;
  Model model = make_quantized();
  save_model(dir.path() / "int8.h5", model);
  model.quantization = {};
  save_model(dir.path() / "fp32.h5", model);
  const h5::File int8 = h5::File::open(dir.path() / "int8.h5"), fp32 = h5::File::open(dir.path() / "fp32.h5");
  EXPECT_EQ(int8.read_attribute("/", "version"), "2");
  EXPECT_EQ(fp32.read_attribute("/", "version"), "1");
  EXPECT_EQ(int8.info("/weights/" + kQkv).type, h5::Type::i8);
  EXPECT_EQ(int8.info("/weight_scales/" + kQkv).shape, std::vector<int64_t>{24});
  EXPECT_EQ(int8.info("/weights/blocks.0.attn.proj.weight").type, h5::Type::f32);
  EXPECT_FALSE(fp32.exists("/quantization"));
  EXPECT_TRUE(load_model(dir.path() / "fp32.h5").quantization.empty());
}

/// Writes the model as save_model does, but each dataset by what `edits` has for it, then what `more` writes.
struct Edits {
  std::string version = "2";
  std::string quantization = "";                                            // empty = the model's own
  std::set<std::string> left_out = {};                                      // datasets
  std::function<void(std::vector<int8_t>&, std::vector<float>&)> qkv = {};  // its values and scales
  std::function<void(h5::File&)> more = {};
};

std::string error_after(const Edits& edits) {
  const test::TempDir dir;
  const Model model = make_quantized();
  h5::File file = h5::File::create(dir.path() / "m.h5");
  file.write_attribute("/", "format", "vit-model");
  file.write_attribute("/", "version", edits.version);
  file.write_text("/config", to_json(model.config).dump());
  file.write_text("/preprocess", "{}");
  file.write_text("/training", "null");
  file.write_texts("/class_names", {});
  const auto kept = [&](const std::string& name) { return !edits.left_out.contains(name); };
  if (kept("/quantization"))
    file.write_text("/quantization",
                    edits.quantization.empty() ? to_json(model.quantization).dump() : edits.quantization);
  for (const Parameter& p : model.layout.all()) {
    const std::string weight = "/weights/" + p.name, scale = "/weight_scales/" + p.name;
    if (!model.quantization.contains(p.name)) {
      file.write(weight, p.shape, std::span<const float>(values_of(model, p.name)));
      continue;
    }
    QuantizedRows rows = rows_of(model, p.name);
    std::vector<int8_t> values(rows.values.span().begin(), rows.values.span().end());
    if (edits.qkv && p.name == kQkv) edits.qkv(values, rows.scales);
    if (kept(weight)) file.write(weight, p.shape, std::span<const int8_t>(values));
    if (kept(scale)) file.write(scale, {static_cast<int64_t>(rows.scales.size())}, std::span<const float>(rows.scales));
  }
  if (edits.more) edits.more(file);
  file.close();
  try {
    load_model(dir.path() / "m.h5");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data) << error.what();
    EXPECT_NE(std::string(error.what()).find("m.h5"), std::string::npos) << error.what();
    return error.what();
  }
  return "no error";
}

testing::AssertionResult says(const std::string& text, const std::vector<std::string>& parts) {
  for (const std::string& part : parts)
    if (text.find(part) == std::string::npos)
      return testing::AssertionFailure() << "'" << text << "' does not say '" << part << "'";
  return testing::AssertionSuccess();
}

TEST(QuantizedFile, RefusesWhatIsMissingOrHasNoPlace) {
  EXPECT_EQ(error_after({}), "no error");
  EXPECT_TRUE(says(error_after({.left_out = {"/weight_scales/" + kQkv}}), {"/weight_scales/" + kQkv, "missing"}));
  EXPECT_TRUE(says(error_after({.left_out = {"/weights/" + kQkv}}), {kQkv, "missing"}));
  EXPECT_TRUE(says(error_after({.left_out = {"/quantization"}}), {"/quantization", "missing"}));
  EXPECT_TRUE(says(error_after({.version = "3"}), {"version 3", "1 and 2"}));
  EXPECT_TRUE(says(error_after({.version = "1"}), {kQkv, "32-bit floats"}));
  const auto stranger = [](h5::File& file) {
    file.write("/weight_scales/head.weight", {1}, std::span<const float>(std::vector<float>{1}));
  };
  EXPECT_TRUE(says(error_after({.more = stranger}), {"/weight_scales/head.weight", "no input scale"}));
}

TEST(QuantizedFile, RefusesWeightsAndScalesThatCannotBe) {
  const auto with_scale = [](float scale) {
    return error_after({.qkv = [scale](auto&, auto& scales) { scales[5] = scale; }});
  };
  for (float bad : {0.0f, -1.0f, std::nanf(""), INFINITY, 1e-40f})
    EXPECT_TRUE(says(with_scale(bad), {"/weight_scales/" + kQkv, "positive"})) << bad;
  EXPECT_TRUE(says(with_scale(3e38f), {kQkv, "not finite"}));
  EXPECT_TRUE(says(error_after({.qkv = [](auto& values, auto&) { values[7] = -128; }}), {kQkv, "-128"}));
  EXPECT_TRUE(says(error_after({.qkv = [](auto&, auto& scales) { scales.pop_back(); }}),
                   {"/weight_scales/" + kQkv, "[24]", "[23]"}));
  const auto floats = [](h5::File& file) {
    file.write("/weights/" + kQkv, {24, 8}, std::span<const float>(std::vector<float>(192)));
  };
  EXPECT_TRUE(says(error_after({.left_out = {"/weights/" + kQkv}, .more = floats}), {kQkv, "needs int8"}));
}

TEST(QuantizedFile, RefusesInputScalesThatCannotBe) {
  const auto with = [](const std::string& scales) {
    return error_after({.quantization = R"({"record": null, "input_scales": )" + scales + "}"});
  };
  for (const char* bad : {"0", "-2", "1e-42", "1e60", "\"one\"", "null"})
    EXPECT_TRUE(says(with(concat("{\"", kQkv, "\": ", bad, "}")), {kQkv, "needs a"})) << bad;
  EXPECT_TRUE(says(with(R"({"head.weight": 1})"), {"head.weight", "can be int8"}));
  EXPECT_TRUE(says(with(R"({"blocks.7.attn.qkv.weight": 1})"), {"blocks.7.attn.qkv.weight"}));
  EXPECT_TRUE(says(with("{}"), {"input_scales", "at least one"}));
  EXPECT_TRUE(says(with("3"), {"input_scales", "object"}));
  EXPECT_TRUE(says(error_after({.quantization = R"({"record": null})"}), {"input_scales", "missing"}));
  EXPECT_TRUE(says(error_after({.quantization = R"({"x": 1})"}), {"unknown field 'x'"}));
  EXPECT_TRUE(says(error_after({.quantization = "{"}), {"/quantization", "not JSON"}));
}

}  // namespace
}  // namespace vit
