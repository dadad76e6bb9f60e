#include "preprocess/config.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "preprocess/augment.h"
#include "vit/core/error.h"

namespace vit {
namespace {

std::string error_of(ErrorKind kind, const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  return "";
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

const PreprocessConfig kImageNet{.size = 224,
                                 .resize_size = 256,
                                 .rule = ResizeRule::shorter_side,
                                 .interpolation = Interpolation::bilinear,
                                 .mean = {0.485f, 0.456f, 0.406f},
                                 .std = {0.229f, 0.224f, 0.225f}};

TEST(PreprocessConfig, JsonIsReadable) {
  EXPECT_EQ(
      to_json(kImageNet).dump(),
      R"({"exif_rotate":false,"interpolation":"bilinear","mean":[0.485,0.456,0.406],"resize_size":256,"rule":"shorter_side",)"
      R"("size":224,"std":[0.229,0.224,0.225]})");
}

TEST(PreprocessConfig, JsonRoundTripIsExact) {
  for (const auto rule : {ResizeRule::squash, ResizeRule::shorter_side, ResizeRule::squash_crop}) {
    for (const auto interpolation : {Interpolation::bilinear, Interpolation::bicubic, Interpolation::area}) {
      PreprocessConfig config = kImageNet;
      config.rule = rule;
      config.interpolation = interpolation;
      config.mean[1] = 1.0f / 3.0f;
      config.exif_rotate = rule == ResizeRule::squash;
      EXPECT_EQ(preprocess_config_from_json(nlohmann::json::parse(to_json(config).dump()), "x"), config);
    }
  }
}

TEST(PreprocessConfig, FilesWithoutExifRotationIgnoreIt) {
  nlohmann::json json = to_json(kImageNet);
  json.erase("exif_rotate");
  EXPECT_FALSE(preprocess_config_from_json(json, "x").exif_rotate);
}

TEST(PreprocessConfig, AllFaultsComeInOneMessage) {
  PreprocessConfig config;
  config.size = 0;
  config.resize_size = -3;
  config.mean[0] = 123.675f;
  config.std[2] = 0;
  const std::string error = error_of(ErrorKind::usage, [&] { validate(config); });
  for (const char* part : {"size: needs", "resize_size", "mean[0]", "123.675", "0..255", "std[2]"}) {
    EXPECT_TRUE(contains(error, part)) << part << " in: " << error;
  }
  EXPECT_NO_THROW(validate(kImageNet));
  config = kImageNet;
  config.std[0] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(validate(config), Error);
  config = kImageNet;
  config.resize_size = 223;
  EXPECT_THROW(validate(config), Error);
  config.rule = ResizeRule::squash;  // which has no use for it
  EXPECT_NO_THROW(validate(config));
}

TEST(PreprocessConfig, NewFieldsAreWrittenWhereTheyDiffer) {
  PreprocessConfig config = kImageNet;
  config.rule = ResizeRule::longer_side;
  config.interpolation = Interpolation::lanczos;
  config.pad = true;
  config.fill = {124, 0, 255};
  config.crop_rounding = CropRounding::floor;
  config.decoding = Decoding::pillow;
  const nlohmann::json json = to_json(config);
  EXPECT_EQ(json["fill"].dump(), "[124,0,255]");
  EXPECT_EQ(json.size(), to_json(kImageNet).size() + 4);
  EXPECT_EQ(preprocess_config_from_json(json, "x"), config);
  config.interpolation = Interpolation::bilinear;
  config.resize_on = ResizeOn::floats;
  EXPECT_EQ(preprocess_config_from_json(to_json(config), "x"), config);
}

TEST(PreprocessConfig, BoxIsAreaInFiles) {
  nlohmann::json json = to_json(kImageNet);
  json["interpolation"] = "box";
  const PreprocessConfig config = preprocess_config_from_json(json, "x");
  EXPECT_EQ(config.interpolation, Interpolation::area);
  EXPECT_EQ(to_json(config)["interpolation"], "area");
}

TEST(PreprocessConfig, SquaresMayBeLargerThanPicturesOnlyWithBorders) {
  PreprocessConfig config = kImageNet;
  config.resize_size = 200;
  for (const auto rule : {ResizeRule::shorter_side, ResizeRule::squash_crop}) {
    config.rule = rule;
    config.pad = false;
    EXPECT_TRUE(contains(error_of(ErrorKind::usage, [&] { validate(config); }), "resize_size"));
    EXPECT_FALSE(has_borders(config));
    config.pad = true;
    EXPECT_NO_THROW(validate(config));
    EXPECT_TRUE(has_borders(config));
  }
  config.pad = false;
  config.rule = ResizeRule::longer_side;
  EXPECT_NO_THROW(validate(config));
  EXPECT_TRUE(has_borders(config));
  config.resize_size = 0;
  EXPECT_THROW(validate(config), Error);
}

TEST(PreprocessConfig, FloatsAreResizedByTwoFilters) {
  PreprocessConfig config = kImageNet;
  config.resize_on = ResizeOn::floats;
  EXPECT_NO_THROW(validate(config));
  config.interpolation = Interpolation::lanczos;
  EXPECT_TRUE(contains(error_of(ErrorKind::usage, [&] { validate(config); }), "resize_on floats, has lanczos"));
}

TEST(PreprocessConfig, GeometryIsWhatActsOnPixels) {
  PreprocessConfig a = kImageNet, b = kImageNet;
  b.mean[0] = 0;
  b.fill = {1, 2, 3};
  EXPECT_TRUE(same_geometry(a, b));
  b.crop_rounding = CropRounding::floor;
  EXPECT_FALSE(same_geometry(a, b));
  a.rule = b.rule = ResizeRule::squash;
  b.resize_size = 300;
  EXPECT_TRUE(same_geometry(a, b));
  b.rule = ResizeRule::squash_crop;
  EXPECT_FALSE(same_geometry(a, b));
  b.resize_size = b.size;
  EXPECT_TRUE(same_geometry(a, b));
  a.rule = b.rule = ResizeRule::longer_side;
  b.crop_rounding = a.crop_rounding;
  a.resize_size = b.resize_size;
  EXPECT_FALSE(same_geometry(a, b));
  b.fill = a.fill;
  EXPECT_TRUE(same_geometry(a, b));
  b.rule = ResizeRule::shorter_side;
  EXPECT_FALSE(same_geometry(a, b));
  b.rule = a.rule;
  b.resize_on = ResizeOn::floats;
  EXPECT_FALSE(same_geometry(a, b));
}

TEST(PreprocessConfig, ParseErrorsNameFieldAndFile) {
  const struct {
    const char* field;
    const char* value;
  } cases[] = {{"size", "\"224\""},       {"size", "224.5"},       {"size", "18446744073709551615"},
               {"rule", "\"stretch\""},   {"rule", "1"},           {"interpolation", "\"sharp\""},
               {"mean", "[0.5, 0.5]"},    {"mean", "0.5"},         {"std", "[0.5, \"0.5\", 0.5]"},
               {"std", "[0.5, 0.5, 0]"},  {"resize_size", "null"}, {"resize_size", "100"},
               {"mean", "[1e300, 0, 0]"}, {"resise_size", "256"},  {"pad", "1"},
               {"fill", "[0, 0]"},        {"fill", "[0, 0, 1.5]"}, {"fill", "[0, 0, 256]"},
               {"fill", "[0, 0, -1]"},    {"fill", "\"black\""},   {"fill", "[0, 0, 1e300]"},
               {"resize_on", "\"gpu\""},  {"decoding", "true"},    {"crop_rounding", "\"up\""}};
  for (const auto& c : cases) {
    nlohmann::json json = to_json(kImageNet);
    json[c.field] = nlohmann::json::parse(c.value);
    const std::string error = error_of(ErrorKind::data, [&] { preprocess_config_from_json(json, "model.h5"); });
    EXPECT_TRUE(contains(error, c.field)) << c.field << " in: " << error;
    EXPECT_TRUE(contains(error, "model.h5")) << error;
  }
  for (const char* field : {"size", "rule", "interpolation", "mean", "std", "resize_size"}) {
    nlohmann::json json = to_json(kImageNet);
    json.erase(field);
    const std::string error = error_of(ErrorKind::data, [&] { preprocess_config_from_json(json, "model.h5"); });
    EXPECT_TRUE(contains(error, concat("'", field, "' is missing"))) << error;
  }
  EXPECT_TRUE(contains(error_of(ErrorKind::data, [] { preprocess_config_from_json(3, "model.h5"); }), "object"));
}

TEST(AugmentConfig, JsonRoundTripAndDefaults) {
  const AugmentConfig config{.flip = 0.5f,
                             .crop_padding = 4,
                             .rotate = 15,
                             .shift = 0.1f,
                             .scale = 0.2f,
                             .shear = 5,
                             .elastic = 1.5f,
                             .elastic_sigma = 3,
                             .erase = 0.25f};
  EXPECT_EQ(augment_config_from_json(nlohmann::json::parse(to_json(config).dump()), "x"), config);
  EXPECT_EQ(augment_config_from_json(nlohmann::json::object(), "x"), AugmentConfig{});
}

TEST(AugmentConfig, FaultsAreNamed) {
  const std::string error =
      error_of(ErrorKind::usage, [] { validate(AugmentConfig{.flip = 1.5f, .crop_padding = -1, .scale = 1}); });
  for (const char* part : {"flip", "crop_padding", "scale"}) EXPECT_TRUE(contains(error, part)) << error;
  EXPECT_TRUE(contains(error_of(ErrorKind::data,
                                [] {
                                  augment_config_from_json({{"rotation", 5}}, "run.json");
                                }),
                       "'rotation' (run.json)"));
  EXPECT_TRUE(contains(error_of(ErrorKind::data, [] { augment_config_from_json({{"flip", 2}}, "run.json"); }), "flip"));
}

}  // namespace
}  // namespace vit
