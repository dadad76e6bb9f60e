#include "vit/model/model_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tests/model/small_config.h"
#include "tests/support/temp_dir.h"
#include "vit/io/hdf5.h"

namespace vit {
namespace {

Model make_small() {
  Model model = make_model(test::small_config(), 1);
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

TEST(ModelFile, OriginIsKeptAndAbsentWhereThereIsNone) {
  const test::TempDir dir;
  Model model = make_small();
  save_model(dir.path() / "own.h5", model);
  EXPECT_FALSE(h5::File::open(dir.path() / "own.h5").exists("/origin"));
  EXPECT_TRUE(load_model(dir.path() / "own.h5").origin.is_null());
  model.origin = {{"source", "folder of a friend"}, {"licence", "apache-2.0"}};
  save_model(dir.path() / "theirs.h5", model);
  EXPECT_EQ(load_model(dir.path() / "theirs.h5").origin, model.origin);
  EXPECT_EQ(open_model(dir.path() / "theirs.h5").model.origin, model.origin);
  model.origin = {"no", "object"};
  save_model(dir.path() / "wrong.h5", model);
  const std::string text = error_of([&] { load_model(dir.path() / "wrong.h5"); });
  EXPECT_NE(text.find("/origin"), std::string::npos) << text;
  EXPECT_NE(text.find("needs an object, has array"), std::string::npos) << text;
}

TEST(ModelFile, SameSeedSameBits) {
  EXPECT_TRUE(same_bits(make_model(test::small_config(), 5).weights, make_model(test::small_config(), 5).weights));
  EXPECT_FALSE(same_bits(make_model(test::small_config(), 5).weights, make_model(test::small_config(), 6).weights));
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
  const std::string deep = error_after([](Model& m) {
    for (int i = 0; i < 100; ++i) m.training = nlohmann::json::array({m.training});
  });
  EXPECT_TRUE(has(deep, "/training") && has(deep, "at most 64 levels")) << deep;
  const std::string huge = error_after([](Model& m) { m.config.width = 1 << 16; });
  EXPECT_TRUE(has(huge, "needs")) << huge;
}

TEST(OpenModel, ReadsOneParameterAtATime) {
  const test::TempDir dir;
  const Model model = make_small();
  save_model(dir.path() / "m.h5", model);
  const OpenModel open = open_model(dir.path() / "m.h5");
  EXPECT_EQ(open.model.config, model.config);
  EXPECT_EQ(open.model.preprocess, model.preprocess);
  EXPECT_EQ(open.model.class_names, model.class_names);
  EXPECT_EQ(open.model.training, model.training);
  EXPECT_EQ(open.model.weights.size(), 0);
  // In any order, and again: what one call read is its own.
  const auto count = static_cast<int>(model.layout.all().size());
  for (const int step : {1, 5}) {
    for (int i = 0; i < count; ++i) {
      const int index = i * step % count;
      const Parameter& p = model.layout[index];
      const ParameterValues values = open.weights(index);
      EXPECT_EQ(values.owned.size(), p.count) << p.name;
      EXPECT_TRUE(std::equal(values.data, values.data + p.count, at(model.weights, p))) << p.name;
    }
  }
}

TEST(OpenModel, ChecksValuesWhenTheyAreRead) {
  const test::TempDir dir;
  Model model = make_small();
  at(model.weights, *model.layout.find("head.bias"))[1] = NAN;
  save_model(dir.path() / "m.h5", model);
  const OpenModel open = open_model(dir.path() / "m.h5");
  for (int i = 0; i < static_cast<int>(model.layout.all().size()); ++i) {
    const std::string& name = model.layout[i].name;
    const std::string error = error_of([&] { open.weights(i); });
    if (name == "head.bias") {
      EXPECT_NE(error.find("head.bias"), std::string::npos) << error;
      EXPECT_NE(error.find("not finite"), std::string::npos) << error;
    } else {
      EXPECT_EQ(error, "no error") << name;
    }
  }
}

TEST(OpenModel, ChecksNamesAndShapesAtOnce) {
  const test::TempDir dir;
  Model model = make_small();
  model.config.mlp_width = 12;
  save_model(dir.path() / "m.h5", model);
  EXPECT_NE(error_of([&] { open_model(dir.path() / "m.h5"); }).find("[12, 8]"), std::string::npos);
}

TEST(FreshParameters, AreThoseOfMakeModel) {
  const Model model = make_model(test::small_config(), 5);
  const ParameterSource fresh = fresh_parameters(test::small_config(), 5);
  for (int i = 0; i < static_cast<int>(model.layout.all().size()); ++i) {
    const Parameter& p = model.layout[i];
    const ParameterValues values = fresh(i);
    EXPECT_TRUE(std::equal(values.data, values.data + p.count, at(model.weights, p))) << p.name;
  }
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
