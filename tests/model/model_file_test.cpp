#include "vit/model/model_file.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "tests/support/temp_dir.h"

namespace vit {
namespace {

ModelConfig small() {
  ModelConfig c;
  c.name = "small";
  c.image_size = 8;
  c.patch_size = 4;
  c.width = 8;
  c.depth = 2;
  c.heads = 2;
  c.mlp_width = 16;
  c.classes = 3;
  return c;
}

Model make_small() {
  Model model = make_model(small(), 1);
  model.preprocess = {{"size", 8}};
  model.class_names = {"apple", "bär", "cat"};
  model.training = {{"epochs", 3}};
  return model;
}

bool same_bits(const ParameterBlock& a, const ParameterBlock& b) {
  return a.size() == b.size() &&
         std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.size()) * sizeof(float)) == 0;
}

template <class Body>
std::string error_of(Body body) {
  try {
    body();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

TEST(ModelFile, RoundTripKeepsEveryBit) {
  const test::TempDir dir;
  const Model model = make_small();
  save_model(dir.path() / "m.h5", model);
  const Model back = load_model(dir.path() / "m.h5");
  EXPECT_EQ(back.config, model.config);
  EXPECT_EQ(back.preprocess, model.preprocess);
  EXPECT_EQ(back.class_names, model.class_names);
  EXPECT_EQ(back.training, model.training);
  EXPECT_TRUE(same_bits(back.weights, model.weights));
}

TEST(ModelFile, SameSeedSameBits) {
  EXPECT_TRUE(same_bits(make_model(small(), 5).weights, make_model(small(), 5).weights));
  EXPECT_FALSE(same_bits(make_model(small(), 5).weights, make_model(small(), 6).weights));
}

/// Writes the model with one thing changed by `edit`, and returns what loading says.
template <class Edit>
std::string error_after(Edit edit) {
  const test::TempDir dir;
  Model model = make_small();
  edit(model);
  save_model(dir.path() / "m.h5", model);
  return error_of([&] { load_model(dir.path() / "m.h5"); });
}

TEST(ModelFile, NamesWhatDoesNotFit) {
  const auto has = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
  const std::string names = error_after([](Model& m) { m.class_names.pop_back(); });
  EXPECT_TRUE(has(names, "class_names") && has(names, "needs 3") && has(names, "has 2")) << names;
  const std::string width = error_after([](Model& m) { m.config.mlp_width = 12; });
  EXPECT_TRUE(has(width, "mlp.fc1.weight") && has(width, "[12, 8]") && has(width, "[16, 8]") && has(width, "m.h5"))
      << width;
  const std::string depth = error_after([](Model& m) { m.config.depth = 3; });
  EXPECT_TRUE(has(depth, "blocks.2.norm1.weight") && has(depth, "missing")) << depth;
  const std::string shallow = error_after([](Model& m) { m.config.depth = 1; });
  EXPECT_TRUE(has(shallow, "blocks.1.")) << shallow;
  const std::string nan = error_after([](Model& m) { at(m.weights, *m.layout.find("head.bias"))[1] = NAN; });
  EXPECT_TRUE(has(nan, "head.bias") && has(nan, "not finite")) << nan;
  const std::string huge = error_after([](Model& m) { m.config.width = 1 << 16; });
  EXPECT_TRUE(has(huge, "needs")) << huge;
}

TEST(ModelFile, AnotherFileIsNoModel) {
  const test::TempDir dir;
  h5::File file = h5::File::create(dir.path() / "x.h5");
  file.write_text("/config", "{}");
  file.close();
  EXPECT_NE(error_of([&] { load_model(dir.path() / "x.h5"); }).find("not a model"), std::string::npos);
}

}  // namespace
}  // namespace vit
