// Pictures of every kind against Pillow: picture_golden.json, written by make_picture_goldens.py.
#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <iomanip>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "preprocess/image.h"
#include "tests/support/pixels.h"
#include "vit/core/error.h"

namespace vit {
namespace {

using test::pixels_of;

const nlohmann::json& golden() {
  static const nlohmann::json json =
      nlohmann::json::parse(std::ifstream(VIT_SOURCE_DIR "/tests/preprocess/picture_golden.json"));
  return json;
}

std::vector<uint8_t> bytes_of(const std::string& base64) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::vector<uint8_t> bytes;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : base64) {
    if (c == '=') break;
    bits = bits << 6 | static_cast<uint32_t>(kDigits.find(c));
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes.push_back(static_cast<uint8_t>(bits >> count));
  }
  return bytes;
}

/// The 64-bit FNV-1a hash, as the script prints it.
std::string fnv(const Image& image) {
  uint64_t h = 0xCBF29CE484222325u;
  for (const uint8_t byte : pixels_of(image)) h = (h ^ byte) * 0x100000001B3u;
  std::ostringstream text;
  text << std::hex << std::setfill('0') << std::setw(16) << h;
  return text.str();
}

void expect_equal(const nlohmann::json& c, bool turned) {
  const std::string name = c["name"];
  try {
    Image image = decode_image(bytes_of(c["file"]), name);
    if (turned) image = upright(std::move(image));
    EXPECT_EQ(image.rgb.cols, c["size"][0].get<int64_t>()) << name;
    EXPECT_EQ(image.rgb.rows, c["size"][1].get<int64_t>()) << name;
    EXPECT_EQ(fnv(image), c["fnv"].get<std::string>()) << name;
  } catch (const Error& error) {
    ADD_FAILURE() << name << ": " << error.what();
  }
}

TEST(PictureGolden, EveryKindHasThePixelsOfPillowOrIsRefused) {
  ASSERT_GE(golden()["pictures"].size(), 290u);
  for (const auto& c : golden()["pictures"]) {
    if (c.contains("fnv")) {
      expect_equal(c, false);
    } else {
      EXPECT_THROW(decode_image(bytes_of(c["file"]), "refused"), Error) << c["name"];
    }
  }
}

TEST(PictureGolden, StatedSizeIsThatOfThePicture) {
  for (const auto& c : golden()["pictures"]) {
    const std::string name = c["name"];
    if (!c.contains("fnv")) continue;
    const ImageSize size = stated_image_size(bytes_of(c["file"]), name);
    const bool turned = name.substr(0, 12) == "orientation_" && name[12] >= '5';  // states what it stores
    EXPECT_EQ(turned ? size.height : size.width, c["size"][0].get<int64_t>()) << name;
    EXPECT_EQ(turned ? size.width : size.height, c["size"][1].get<int64_t>()) << name;
  }
}

TEST(PictureGolden, ExifTurnsWhereItIsAskedFor) {
  ASSERT_EQ(golden()["exif"].size(), 24u);
  for (const auto& c : golden()["exif"]) {
    expect_equal(c, true);
    const Image stored = decode_image(bytes_of(c["file"]), "stored");
    EXPECT_EQ(stored.rgb.cols, 7) << c["name"];
    EXPECT_EQ(stored.rgb.rows, 5) << c["name"];
  }
}

/// Every file cut at every length, and with single bytes changed: a picture of sane size or an Error that names the
/// file, and no words on stderr.
TEST(PictureGolden, DamageIsAnErrorAndSilentOnStderr) {
  const DecodeLimits limits{.max_pixels = 1 << 16};
  const auto try_it = [&](const std::vector<uint8_t>& file, const std::string& name) {
    try {
      check_pixels(upright(decode_image(file, name, limits)).rgb);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data) << error.what();
      EXPECT_NE(std::string(error.what()).find(name), std::string::npos) << error.what();
    }
  };
  testing::internal::CaptureStderr();
  for (const char* section : {"pictures", "exif"}) {
    for (const auto& c : golden()[section]) {
      const std::vector<uint8_t> file = bytes_of(c["file"]);
      for (size_t size = 0; size < file.size(); ++size)
        try_it(std::vector<uint8_t>(file.data(), file.data() + size), c["name"]);
      for (size_t i = 0; i < file.size(); ++i) {
        std::vector<uint8_t> damaged = file;
        damaged[i] ^= i % 3 == 0 ? 0x80 : i % 3 == 1 ? 0xFF : 0x01;
        try_it(damaged, c["name"]);
      }
    }
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace vit
