// Against Pillow, torchvision and torch: pillow_golden.json, written by make_pillow_goldens.py.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <iomanip>
#include <nlohmann/json.hpp>
#include <sstream>

#include "preprocess/patchify.h"
#include "preprocess/resize_crop.h"
#include "preprocess/warp.h"
#include "tests/support/noise_image.h"

namespace vit {
namespace {

const nlohmann::json& golden() {
  static const nlohmann::json json =
      nlohmann::json::parse(std::ifstream(VIT_SOURCE_DIR "/tests/preprocess/pillow_golden.json"));
  return json;
}

/// The 64-bit FNV-1a hash, as the script prints it.
std::string fnv(const void* data, size_t size) {
  uint64_t h = 0xCBF29CE484222325u;
  for (size_t i = 0; i < size; ++i) h = (h ^ static_cast<const uint8_t*>(data)[i]) * 0x100000001B3u;
  std::ostringstream text;
  text << std::hex << std::setfill('0') << std::setw(16) << h;
  return text.str();
}

std::string fnv(const cv::Mat& picture) {
  const std::vector<uint8_t> pixels = test::pixels_of(picture);
  return fnv(pixels.data(), pixels.size());
}

std::vector<uint8_t> bytes_of(const std::string& hex) {
  std::vector<uint8_t> bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<uint8_t>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

Interpolation interpolation_of(const std::string& name) {
  return name == "bilinear"  ? Interpolation::bilinear
         : name == "bicubic" ? Interpolation::bicubic
                             : Interpolation::area;
}

TEST(PillowGolden, ResizeIsByteEqual) {
  ASSERT_EQ(golden()["resize"].size(), 42u);
  for (const auto& c : golden()["resize"]) {
    const cv::Mat out = resize(test::noise_image(c["from"][0], c["from"][1]).rgb, c["to"][0], c["to"][1],
                               interpolation_of(c["interpolation"]));
    EXPECT_EQ(out.cols, c["to"][0].get<int64_t>());
    EXPECT_EQ(out.rows, c["to"][1].get<int64_t>());
    EXPECT_EQ(fnv(out), c["fnv"].get<std::string>()) << c;
  }
}

TEST(PillowGolden, ResizeCropIsByteEqual) {
  ASSERT_EQ(golden()["resize_crop"].size(), 27u);
  for (const auto& c : golden()["resize_crop"]) {
    PreprocessConfig config;
    config.size = c["size"];
    config.resize_size = c["resize_size"];
    config.interpolation = interpolation_of(c["interpolation"]);
    const cv::Mat out = resize_crop(test::noise_image(c["from"][0], c["from"][1]), config).rgb;
    EXPECT_EQ(out.cols, config.size);
    EXPECT_EQ(out.rows, config.size);
    EXPECT_EQ(fnv(out), c["fnv"].get<std::string>()) << c;
  }
}

TEST(PillowGolden, PatchRowsHaveTheBitsOfTorch) {
  ASSERT_EQ(golden()["patchify"].size(), 3u);
  for (const auto& c : golden()["patchify"]) {
    PreprocessConfig config;
    config.size = c["size"];
    for (size_t i = 0; i < 3; ++i) {
      config.mean[i] = static_cast<float>(c["mean"][i].get<double>());
      config.std[i] = static_cast<float>(c["std"][i].get<double>());
    }
    const int64_t patch = c["patch"], across = config.size / patch;
    std::vector<float> rows(static_cast<size_t>(config.size * config.size * 3));
    patchify(test::noise_image(config.size, config.size), config, patch,
             TensorView<float>(rows.data(), {across * across, 3 * patch * patch}));
    EXPECT_EQ(fnv(rows.data(), rows.size() * sizeof(float)), c["fnv"].get<std::string>()) << c;
  }
}

TEST(PillowGolden, InverseMatrixIsThatOfRandomAffine) {
  ASSERT_EQ(golden()["inverse_matrix"].size(), 6u);
  for (const auto& c : golden()["inverse_matrix"]) {
    const Affine affine{.degrees = c["degrees"],
                        .shift_x = c["shift"][0],
                        .shift_y = c["shift"][1],
                        .scale = c["scale"],
                        .shear = c["shear"]};
    const auto matrix = inverse_matrix(affine, c["size"][0], c["size"][1]);
    for (size_t i = 0; i < 6; ++i) EXPECT_NEAR(matrix[i], c["matrix"][i].get<double>(), 1e-12) << c << " at " << i;
  }
}

TEST(PillowGolden, DecodesAsConvertRgbDoes) {
  ASSERT_EQ(golden()["decode"].size(), 24u);
  for (const auto& c : golden()["decode"]) {
    const std::string name = c["name"];
    const Image image = decode_image(bytes_of(c["file"]), name);
    const std::vector<uint8_t> wanted = bytes_of(golden()["pictures"][c["pixels"].get<std::string>()]);
    ASSERT_EQ(image.rgb.cols, c["size"][0]) << name;
    ASSERT_EQ(image.rgb.rows, c["size"][1]) << name;
    const std::vector<uint8_t> pixels = test::pixels_of(image);
    ASSERT_EQ(pixels.size(), wanted.size()) << name;
    for (size_t i = 0; i < wanted.size(); ++i) {
      ASSERT_LE(std::abs(pixels[i] - wanted[i]), c["tolerance"].get<int>()) << name << " at byte " << i;
    }
  }
}

/// Every golden file, cut at every length: an error that names it, never a picture and never a crash.
TEST(PillowGolden, EveryCutIsAnError) {
  for (const auto& c : golden()["decode"]) {
    const std::string name = c["name"];
    const std::vector<uint8_t> file = bytes_of(c["file"]);
    for (size_t size = 0; size < file.size(); ++size) {
      try {
        decode_image({file.data(), size}, name);
        ADD_FAILURE() << name << " decodes with " << size << " of " << file.size() << " bytes";
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::data) << error.what();
        EXPECT_NE(std::string(error.what()).find(name), std::string::npos) << error.what();
        // Found before a decoder saw the file: those print, and some return half a picture.
        EXPECT_EQ(std::string(error.what()).find("cannot be decoded"), std::string::npos) << error.what();
      }
    }
  }
}

}  // namespace
}  // namespace vit
