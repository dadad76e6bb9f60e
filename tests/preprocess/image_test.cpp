#include "preprocess/image.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <opencv2/imgcodecs.hpp>
#include <stdexcept>
#include <utility>

#include "tests/support/pixels.h"
#include "tests/support/temp_dir.h"
#include "vit/core/error.h"

namespace vit {
namespace {

using test::pixels_of;

std::vector<uint8_t> encode(const cv::Mat& picture, const std::string& extension) {
  std::vector<uint8_t> bytes;
  if (!cv::imencode(extension, picture, bytes)) throw std::runtime_error("cannot encode " + extension);
  return bytes;
}

/// The text of the Error (data) that decoding throws; empty when it throws none.
std::string error_of(std::span<const uint8_t> bytes, const DecodeLimits& limits = {}) {
  try {
    decode_image(bytes, "cat.jpg", limits);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data) << error.what();
    EXPECT_NE(std::string(error.what()).find("cat.jpg"), std::string::npos) << error.what();
    return error.what();
  }
  return "";
}

std::string error_of(std::string_view bytes) {
  return error_of(std::span(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()));
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

const cv::Mat& small_bgr() {
  static const cv::Mat picture = (cv::Mat_<cv::Vec3b>(2, 2) << cv::Vec3b(1, 2, 3), cv::Vec3b(40, 50, 60),
                                  cv::Vec3b(255, 0, 0), cv::Vec3b(7, 128, 255));
  return picture;
}
const std::vector<uint8_t> kSmallRgb = {3, 2, 1, 60, 50, 40, 0, 0, 255, 255, 128, 7};

TEST(DecodeImage, LosslessFormatsGiveTheirPixelsInRgbOrder) {
  for (const char* extension : {".png", ".bmp", ".ppm", ".tiff"}) {
    const Image image = decode_image(encode(small_bgr(), extension), extension);
    EXPECT_EQ(image.rgb.cols, 2) << extension;
    EXPECT_EQ(image.rgb.rows, 2) << extension;
    EXPECT_EQ(pixels_of(image), kSmallRgb) << extension;
  }
}

TEST(DecodeImage, GrayIsRepeatedAndAlphaDropped) {
  const cv::Mat gray = (cv::Mat_<uint8_t>(1, 3) << 0, 77, 255);
  EXPECT_EQ(pixels_of(decode_image(encode(gray, ".png"), "gray")),
            (std::vector<uint8_t>{0, 0, 0, 77, 77, 77, 255, 255, 255}));
  const cv::Mat alpha = (cv::Mat_<cv::Vec4b>(1, 2) << cv::Vec4b(10, 20, 30, 0), cv::Vec4b(40, 50, 60, 128));
  EXPECT_EQ(pixels_of(decode_image(encode(alpha, ".png"), "alpha")), (std::vector<uint8_t>{30, 20, 10, 60, 50, 40}));
}

TEST(DecodeImage, SixteenBitsKeepTheirUpperByte) {
  const cv::Mat gray = (cv::Mat_<uint16_t>(1, 3) << 0x00FF, 0x1234, 0xFFFF);
  const std::vector<uint8_t> wanted = {0, 0, 0, 0x12, 0x12, 0x12, 255, 255, 255};
  EXPECT_EQ(pixels_of(decode_image(encode(gray, ".png"), "png")), wanted);
  EXPECT_EQ(pixels_of(decode_image(encode(gray, ".tiff"), "tiff")), wanted);
  EXPECT_EQ(pixels_of(decode_image(encode(gray, ".pgm"), "pgm")), wanted);
}

TEST(DecodeImage, TextPnmNeedsNoLastNewline) {
  const std::string_view text = "P3 # colours\n2 1\n255\n1 2 3  40 50 60";
  const Image image = decode_image(std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size()), "text.ppm");
  EXPECT_EQ(pixels_of(image), (std::vector<uint8_t>{1, 2, 3, 40, 50, 60}));
}

TEST(DecodeImage, OtherContentIsNamed) {
  EXPECT_TRUE(contains(error_of(std::span<const uint8_t>{}), "empty"));
  EXPECT_TRUE(contains(error_of(std::string_view("Not found, try again later")), "looks like text"));
  EXPECT_TRUE(contains(error_of(std::string_view("<html><body>404</body></html>")), "web page"));
  EXPECT_TRUE(contains(error_of(std::string_view("GIF89a\x01\x00\x01\x00", 10)), "GIF"));
  EXPECT_TRUE(contains(error_of(std::string_view("\x01\x02\x03\x04\x05\x06\x07", 7)), "not an image"));
}

TEST(DecodeImage, FormatsThatAreNotReadAreNamed) {
  using namespace std::string_view_literals;
  for (const auto& [bytes, format] : {std::pair{"GIF89a\x01\0\x01\0"sv, "is GIF"},
                                      {"\0\0\0\x18"
                                       "ftypheic"sv,
                                       "is HEIC"},
                                      {"\0\0\0\x18"
                                       "ftypavif"sv,
                                       "is AVIF"},
                                      {"\0\0\0\x0cjP  \r\n"sv, "is JPEG 2000"},
                                      {"\xff\x0a\xfa\x1f"sv, "is JPEG XL"},
                                      {"8BPS\0\1"sv, "is PSD"},
                                      {"\0\0\1\0\1\0"sv, "is ICO"},
                                      {"<?xml version='1.0'?><svg xmlns='x'/>"sv, "is SVG"},
                                      {"P7\nWIDTH 1"sv, "is PAM"}})
    EXPECT_TRUE(contains(error_of(bytes), format)) << error_of(bytes);
  try {  // a format without a mark of its own
    decode_image(std::vector<uint8_t>(20, 2), "picture.TGA");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_TRUE(contains(error.what(), "is TGA")) << error.what();
  }
}

/// Files of a few bytes that claim to be huge. Taking memory for one of them would end the test with the machine.
TEST(DecodeImage, HugeSizesAreRefusedFromTheHeader) {
  using namespace std::string_view_literals;
  const std::string_view cases[] = {
      "\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\xea\x60\0\0\xea\x60\x08\x02\0\0\0"sv,                       // 60000 x 60000
      "\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\x7f\xff\xff\xff\x7f\xff\xff\xff\x08\x02\0\0\0"sv,               // 2^31 - 1
      "\xff\xd8\xff\xc0\0\x11\x08\xff\xff\xff\xff\x03\x01\x11\0\x02\x11\0\x03\x11\0\xff\xd9"sv,        // 65535 x 65535
      "BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\xff\xff\xff\x7f\xff\xff\xff\x7f\x01\0\x18\0\0\0\0\0"sv,  // 2^31 - 1
      "RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff"sv,                            // 2^24
      "II*\0\x08\0\0\0\x02\0\0\x01\x04\0\x01\0\0\0\xff\xff\xff\x7f\x01\x01\x04\0\x01\0\0\0\xff\xff\xff\x7f\0\0\0\0"sv,
      "P6 60000 60000 255\n"sv,
      "P3 2147483647 2147483647 255\n"sv,
  };
  for (const std::string_view bytes : cases) {
    const std::string error = error_of(bytes);
    EXPECT_TRUE(contains(error, "too large")) << error;
    EXPECT_TRUE(contains(error, " x ")) << error;
    EXPECT_TRUE(contains(error, "178956970")) << error;
  }
}

TEST(DecodeImage, LimitsAreTheCallers) {
  const std::vector<uint8_t> png = encode(small_bgr(), ".png");
  EXPECT_TRUE(contains(error_of(png, {.max_pixels = 3}), "2 x 2"));
  EXPECT_EQ(error_of(png, {.max_pixels = 4}), "");
  const int64_t size = std::ssize(png);
  EXPECT_TRUE(contains(error_of(png, {.max_bytes = size - 1}), "limit"));
  EXPECT_EQ(error_of(png, {.max_bytes = size}), "");
}

TEST(DecodeImage, ZeroSidesAreRefused) {
  EXPECT_TRUE(contains(error_of(std::string_view("P6 0 5 255\n")), "at least 1 x 1"));
  EXPECT_TRUE(contains(error_of(std::string_view("P6 5 0 255\n")), "at least 1 x 1"));
}

TEST(DecodeImage, DamageInsideIsAnError) {
  std::vector<uint8_t> png = encode(small_bgr(), ".png");
  png[png.size() - 18] ^= 1;  // the end of the pixels: 4 bytes of checksum and 12 of the end chunk follow
  EXPECT_TRUE(contains(error_of(png), "checksum"));

  std::vector<uint8_t> jpeg = encode(cv::Mat(40, 40, CV_8UC3, cv::Scalar(1, 200, 3)), ".jpg");
  std::fill(jpeg.begin() + std::ssize(jpeg) * 3 / 4, jpeg.end(),
            0);  // a file whose space was reserved, then not written
  EXPECT_TRUE(contains(error_of(jpeg), "truncated"));

  EXPECT_TRUE(contains(error_of(std::string_view("P5 2 2 70000\nabcd")), "up to 1 .. 65535, has up to 70000"));
  EXPECT_TRUE(contains(error_of(std::string_view("P2 2 1 100\n1 101")), "is above 100"));
}

/// Any byte may be wrong: whatever comes out is a picture of sane size or an Error.
TEST(DecodeImage, FlippedBytesNeverCrash) {
  for (const char* extension : {".png", ".jpg", ".bmp", ".ppm", ".tiff"}) {
    const std::vector<uint8_t> file = encode(small_bgr(), extension);
    for (size_t i = 0; i < std::min<size_t>(file.size(), 200); ++i) {
      for (const uint8_t bits : {0x01, 0x80, 0xFF}) {
        std::vector<uint8_t> damaged = file;
        damaged[i] ^= bits;
        try {
          check_pixels(decode_image(damaged, "damaged", {.max_pixels = 1 << 20}).rgb);
        } catch (const Error& error) {
          EXPECT_EQ(error.kind(), ErrorKind::data) << error.what();
        }
      }
    }
  }
}

/// libjpeg-turbo's decoder keeps parts of a file that it failed on; the next one must not see them.
TEST(DecodeImage, DamagedJpegLeavesNothingToTheNext) {
  const std::vector<uint8_t> good = encode(cv::Mat(16, 16, CV_8UC3, cv::Scalar(1, 200, 3)), ".jpg");
  const Image wanted = decode_image(good, "good");
  for (size_t i = 0; i < good.size(); ++i) {
    std::vector<uint8_t> damaged = good;
    damaged[i] ^= 0xFF;
    error_of(damaged);
    ASSERT_EQ(pixels_of(decode_image(good, "good")), pixels_of(wanted)) << "after damage at byte " << i;
  }
}

TEST(ReadImage, ContentDecidesNotTheName) {
  const test::TempDir folder;
  const std::vector<uint8_t> png = encode(small_bgr(), ".png");
  std::ofstream(folder / "really_a_png.jpg", std::ios::binary)
      .write(reinterpret_cast<const char*>(png.data()), std::ssize(png));
  EXPECT_EQ(pixels_of(read_image(folder / "really_a_png.jpg")), kSmallRgb);
  std::ofstream(folder / "zero.png").flush();
  EXPECT_THROW(read_image(folder / "zero.png"), Error);
  EXPECT_THROW(read_image(folder / "absent.png"), Error);
}

TEST(ImageFromBgr, TakesWhatImreadGives) {
  EXPECT_EQ(pixels_of(image_from_bgr(small_bgr())), kSmallRgb);
  const cv::Mat wide = (cv::Mat_<uint16_t>(1, 1) << 0xABCD);
  EXPECT_EQ(pixels_of(image_from_bgr(wide)), (std::vector<uint8_t>{0xAB, 0xAB, 0xAB}));
  const cv::Mat alpha(1, 1, CV_16UC4, cv::Scalar(0x0100, 0x02FF, 0x0380, 0));
  EXPECT_EQ(pixels_of(image_from_bgr(alpha)), (std::vector<uint8_t>{3, 2, 1}));
  const cv::Mat part = cv::Mat(4, 4, CV_8UC3, cv::Scalar(9, 8, 7))(cv::Rect(1, 1, 2, 2));  // rows are not contiguous
  EXPECT_EQ(pixels_of(image_from_bgr(part)), (std::vector<uint8_t>{7, 8, 9, 7, 8, 9, 7, 8, 9, 7, 8, 9}));
  EXPECT_THROW(image_from_bgr(cv::Mat()), Error);
  EXPECT_THROW(image_from_bgr(cv::Mat(1, 1, CV_32FC3)), Error);
  EXPECT_THROW(image_from_bgr(cv::Mat(1, 1, CV_8UC2)), Error);
}

TEST(BgrFromImage, UndoesImageFromBgr) {
  EXPECT_EQ(pixels_of(bgr_from_image(image_from_bgr(small_bgr()))), pixels_of(small_bgr()));
  EXPECT_THROW(bgr_from_image(Image()), Error);
}

TEST(ImageFromRgb, SharesThePixels) {
  const cv::Mat rgb(2, 3, CV_8UC3, cv::Scalar(1, 2, 3));
  EXPECT_EQ(image_from_rgb(rgb).rgb.data, rgb.data);
}

TEST(CheckPixels, WantsEightBitsAndThreeChannels) {
  EXPECT_NO_THROW(check_pixels(cv::Mat(1, 2, CV_8UC3)));
  EXPECT_NO_THROW(check_pixels(cv::Mat(4, 4, CV_8UC3)(cv::Rect(1, 1, 2, 2))));
  EXPECT_THROW(check_pixels(cv::Mat()), Error);
  EXPECT_THROW(check_pixels(cv::Mat(0, 1, CV_8UC3)), Error);
  for (const int type : {CV_8UC1, CV_8UC4, CV_16UC3, CV_32FC3}) EXPECT_THROW(check_pixels(cv::Mat(1, 2, type)), Error);
  EXPECT_THROW(check_pixels(cv::Mat(std::vector<int>{2, 2, 2}, CV_8UC3)), Error);
  EXPECT_THROW(image_from_rgb(cv::Mat()), Error);
}

}  // namespace
}  // namespace vit
