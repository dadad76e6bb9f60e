// Against Pillow and the preprocessing of timm, torchvision, transformers and open_clip: pixel_golden.json, written by
// make_pixel_goldens.py.
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iomanip>
#include <nlohmann/json.hpp>
#include <sstream>

#include "preprocess/pipeline.h"
#include "preprocess/published.h"
#include "preprocess/resize_crop.h"
#include "tests/support/noise_image.h"

namespace vit {
namespace {

const nlohmann::json& golden() {
  static const nlohmann::json json =
      nlohmann::json::parse(std::ifstream(VIT_SOURCE_DIR "/tests/preprocess/pixel_golden.json"));
  return json;
}

/// The 64-bit FNV-1a hash, as the script prints it.
std::string fnv(const std::vector<uint8_t>& bytes) {
  uint64_t h = 0xCBF29CE484222325u;
  for (const uint8_t byte : bytes) h = (h ^ byte) * 0x100000001B3u;
  std::ostringstream text;
  text << std::hex << std::setfill('0') << std::setw(16) << h;
  return text.str();
}

std::vector<uint8_t> bytes_of(const std::string& hex) {
  std::vector<uint8_t> bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<uint8_t>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return bytes;
}

/// Channel, row, column.
std::vector<float> values_of(const Image& image, const PreprocessConfig& config) {
  const Pipeline pipeline(config, config.size);
  std::vector<float> values(static_cast<size_t>(pipeline.patch_dim()));
  pipeline.prepare(image, {values.data(), {1, pipeline.patch_dim()}});
  return values;
}

void expect_near(const std::vector<float>& values, const nlohmann::json& c) {
  const std::vector<uint8_t> bytes = bytes_of(c["values"]);
  ASSERT_EQ(bytes.size(), values.size() * sizeof(float));
  std::vector<float> wanted(values.size());
  std::memcpy(wanted.data(), bytes.data(), bytes.size());
  for (size_t i = 0; i < values.size(); ++i)
    ASSERT_NEAR(static_cast<double>(values[i]), static_cast<double>(wanted[i]), 1e-6) << i << " of " << values.size();
}

TEST(PixelGolden, AllFiltersAreByteEqual) {
  ASSERT_EQ(golden()["resize"].size(), 78u);
  for (const auto& c : golden()["resize"]) {
    const auto filter = parse_word<Interpolation>(c["interpolation"].get<std::string>(), "filter");
    const cv::Mat out = resize(test::noise_image(c["from"][0], c["from"][1]).rgb, c["to"][0], c["to"][1], filter);
    EXPECT_EQ(fnv(test::pixels_of(out)), c["fnv"].get<std::string>()) << c;
  }
}

TEST(PixelGolden, FilesMakeTheNumbersOfTheirPrograms) {
  ASSERT_EQ(golden()["files"].size(), 26u);
  for (const auto& c : golden()["files"]) {
    SCOPED_TRACE(c["file"].dump());
    const PublishedRule rule = published_preprocess(c["file"], "the file");
    EXPECT_EQ(rule.config.size, c["shape"][1].get<int64_t>());
    expect_near(values_of(test::noise_image(c["from"][0], c["from"][1]), rule.config), c);
  }
}

TEST(PixelGolden, NamedRulesMakeTheNumbersOfTorchvision) {
  ASSERT_EQ(golden()["rules"].size(), 3u);
  for (const auto& c : golden()["rules"]) {
    SCOPED_TRACE(c["rule"].dump());
    const PreprocessConfig config = published_rule(c["rule"].get<std::string>(), c["side"]);
    expect_near(values_of(test::noise_image(c["from"][0], c["from"][1]), config), c);
  }
}

TEST(PixelGolden, DeepGrayIsClippedWhereTheRuleIsThatOfPillow) {
  ASSERT_EQ(golden()["decode"].size(), 4u);
  for (const auto& c : golden()["decode"]) {
    SCOPED_TRACE(c["name"].dump());
    const Image image = decode_image(bytes_of(c["file"]), "gray");
    PreprocessConfig config;
    const std::vector<uint8_t> full = test::pixels_of(source_picture(image, config).rgb);
    config.decoding = Decoding::pillow;
    const Image clipped = source_picture(image, config);
    EXPECT_EQ(clipped.rgb.cols, c["size"][0].get<int>());
    EXPECT_EQ(test::pixels_of(clipped.rgb), bytes_of(c["pillow"]));
    EXPECT_EQ(full, test::pixels_of(image));
    EXPECT_NE(full, bytes_of(c["pillow"]));
  }
}

TEST(PixelGolden, DeepGrayOfOpenCvIsClippedToo) {
  const cv::Mat wide(1, 3, CV_16UC1, cv::Scalar(300));
  PreprocessConfig config;
  EXPECT_EQ(test::pixels_of(source_picture(image_from_bgr(wide), config).rgb), std::vector<uint8_t>(9, 1));
  config.decoding = Decoding::pillow;
  EXPECT_EQ(test::pixels_of(source_picture(image_from_bgr(wide), config).rgb), std::vector<uint8_t>(9, 255));
}

}  // namespace
}  // namespace vit
