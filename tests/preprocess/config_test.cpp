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
  for (const auto rule : {ResizeRule::squash, ResizeRule::shorter_side}) {
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

TEST(PreprocessConfig, ParseErrorsNameFieldAndFile) {
  const struct {
    const char* field;
    const char* value;
  } cases[] = {{"size", "\"224\""},       {"size", "224.5"},       {"size", "18446744073709551615"},
               {"rule", "\"stretch\""},   {"rule", "1"},           {"interpolation", "\"nearest\""},
               {"mean", "[0.5, 0.5]"},    {"mean", "0.5"},         {"std", "[0.5, \"0.5\", 0.5]"},
               {"std", "[0.5, 0.5, 0]"},  {"resize_size", "null"}, {"resize_size", "100"},
               {"mean", "[1e300, 0, 0]"}, {"resise_size", "256"}};
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
