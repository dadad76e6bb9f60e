#include "datasets/drawn_digits.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "datasets/picture_folder.h"
#include "preprocess/image.h"
#include "vit/core/error.h"
#include "vit/core/rng.h"

namespace vit {
namespace {

constexpr int kCanvas = 128;  // drawn large, then reduced
constexpr std::array kFonts{cv::FONT_HERSHEY_SIMPLEX,        cv::FONT_HERSHEY_PLAIN,
                            cv::FONT_HERSHEY_DUPLEX,         cv::FONT_HERSHEY_COMPLEX,
                            cv::FONT_HERSHEY_TRIPLEX,        cv::FONT_HERSHEY_COMPLEX_SMALL,
                            cv::FONT_HERSHEY_SCRIPT_SIMPLEX, cv::FONT_HERSHEY_SCRIPT_COMPLEX};

/// The figure upright in the middle of the canvas, two thirds of its height.
cv::Mat draw_upright(const std::string& text, int font, int thickness) {
  int baseline = 0;
  const cv::Size unit = cv::getTextSize(text, font, 1.0, thickness, &baseline);
  const double scale = kCanvas * 0.66 / unit.height;
  const cv::Size size = cv::getTextSize(text, font, scale, thickness, &baseline);
  cv::Mat canvas(kCanvas, kCanvas, CV_8UC1, cv::Scalar(0));
  cv::putText(canvas, text, {(kCanvas - size.width) / 2, (kCanvas + size.height) / 2}, font, scale, cv::Scalar(255),
              thickness, cv::LINE_AA);
  return canvas;
}

/// Rotation, scale, shear and shift about the middle.
cv::Mat bend(const cv::Mat& canvas, RandomStream& random) {
  const float angle = random.uniform(-0.26f, 0.26f);
  const float shear = random.uniform(-0.25f, 0.25f);
  const float scale_x = random.uniform(0.75f, 1.1f);
  const float scale_y = random.uniform(0.8f, 1.15f);
  const float c = std::cos(angle);
  const float s = std::sin(angle);
  const float a = c * scale_x;
  const float b = (c * shear - s) * scale_y;
  const float d = s * scale_x;
  const float e = (s * shear + c) * scale_y;
  constexpr float kMiddle = kCanvas / 2.0f;
  const float x = kMiddle + random.uniform(-9, 9) - (a + b) * kMiddle;
  const float y = kMiddle + random.uniform(-9, 9) - (d + e) * kMiddle;
  const cv::Mat matrix = (cv::Mat_<float>(2, 3) << a, b, x, d, e, y);
  cv::Mat bent;
  cv::warpAffine(canvas, bent, matrix, canvas.size());
  return bent;
}

}  // namespace

Image draw_digit(int64_t digit, int64_t index, const DrawnDigitsOptions& options) {
  RandomStream random(options.seed, RandomPurpose::draw, static_cast<uint64_t>(digit), static_cast<uint64_t>(index));
  const int font = kFonts[random.below(kFonts.size())];
  const int thickness = 5 + static_cast<int>(random.below(9));
  const cv::Mat bent = bend(draw_upright(std::to_string(digit), font, thickness), random);
  const int side = static_cast<int>(options.size);
  cv::Mat small;
  cv::resize(bent, small, {side, side}, 0, 0, cv::INTER_AREA);

  const float brightness = random.uniform(0.7f, 1.0f);
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x) {
      const float value = brightness * static_cast<float>(small.at<uint8_t>(y, x)) + 8 * random.normal();
      small.at<uint8_t>(y, x) = static_cast<uint8_t>(std::lround(std::clamp(value, 0.0f, 255.0f)));
    }
  return image_from_bgr(small);
}

void draw_digits(const std::filesystem::path& out, const DrawnDigitsOptions& options) {
  if (options.size < 8 || options.size > 256)
    fail(ErrorKind::usage, "[drawn_digits] size: needs 8 to 256 pixels, has ", options.size);
  if (options.train < 1 || options.test < 0)
    fail(ErrorKind::usage, "[drawn_digits] needs at least 1 train and 0 test pictures a digit, has ", options.train,
         " and ", options.test);
  PictureFolder folder(out);
  for (int64_t digit = 0; digit < 10; ++digit)
    for (int64_t index = 0; index < options.train + options.test; ++index)
      folder.add(index < options.train ? "train" : "test", std::to_string(digit), draw_digit(digit, index, options));
}

}  // namespace vit
