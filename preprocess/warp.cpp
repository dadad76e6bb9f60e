#include "preprocess/warp.h"

#include <cmath>
#include <numbers>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include "preprocess/image.h"
#include "preprocess/opencv_setup.h"
#include "vit/core/error.h"

namespace vit {
namespace {

constexpr int kMaxWarpSide = 32766;  // OpenCV's lookup keeps coordinates in 16 bits

std::vector<float> smooth_noise(int64_t width, int64_t height, float amplitude, const cv::Mat& kernel,
                                RandomStream& random) {
  std::vector<float> noise(static_cast<size_t>(width * height));
  for (float& value : noise) value = random.uniform(-1.0f, 1.0f);
  cv::Mat field(static_cast<int>(height), static_cast<int>(width), CV_32F, noise.data());
  // Uniform noise on [-1, 1] has variance 1/3, of which each pass of the kernel keeps its sum of squares.
  const double deviation = std::sqrt(1.0 / 3.0) * kernel.dot(kernel);
  cv::sepFilter2D(field, field, CV_32F, kernel, kernel, {-1, -1}, 0, cv::BORDER_REFLECT);
  for (float& value : noise) value *= static_cast<float>(static_cast<double>(amplitude) / deviation);
  return noise;
}

}  // namespace

std::array<double, 6> inverse_matrix(const Affine& affine, int64_t width, int64_t height) {
  constexpr double kRadians = std::numbers::pi / 180.0;
  const double sine = std::sin(affine.degrees * kRadians), cosine = std::cos(affine.degrees * kRadians);
  const double tangent = std::tan(affine.shear * kRadians);
  // Forward: rotation * scale * [1 -tan; 0 1], whose determinant is scale^2.
  const double a = cosine, b = -cosine * tangent - sine;
  const double c = sine, d = -sine * tangent + cosine;
  const double centre_x = static_cast<double>(width - 1) / 2, centre_y = static_cast<double>(height - 1) / 2;
  std::array<double, 6> m = {d / affine.scale, -b / affine.scale, 0, -c / affine.scale, a / affine.scale, 0};
  m[2] = centre_x - m[0] * (centre_x + affine.shift_x) - m[1] * (centre_y + affine.shift_y);
  m[5] = centre_y - m[3] * (centre_x + affine.shift_x) - m[4] * (centre_y + affine.shift_y);
  return m;
}

Displacement random_displacement(int64_t width, int64_t height, float amplitude, float sigma, RandomStream& random) {
  setup_opencv();
  const int radius = static_cast<int>(std::ceil(3 * sigma));
  const cv::Mat kernel = cv::getGaussianKernel(2 * radius + 1, static_cast<double>(sigma), CV_32F);
  Displacement displacement;
  displacement.x = smooth_noise(width, height, amplitude, kernel, random);
  displacement.y = smooth_noise(width, height, amplitude, kernel, random);
  return displacement;
}

cv::Mat warp(const cv::Mat& picture, const std::array<double, 6>& matrix, const Displacement& displacement) {
  setup_opencv();
  check_pixels(picture);
  const int width = picture.cols, height = picture.rows;
  if (width > kMaxWarpSide || height > kMaxWarpSide) {
    fail(ErrorKind::usage, "[warp] needs sides of at most ", kMaxWarpSide, ", has ", width, " x ", height);
  }
  const int64_t pixels = int64_t{width} * height;
  const bool moves = !displacement.x.empty() || !displacement.y.empty();
  if (moves && (std::ssize(displacement.x) != pixels || std::ssize(displacement.y) != pixels)) {
    fail(ErrorKind::usage, "[warp] needs ", pixels, " displacements an axis, has ", displacement.x.size(), " and ",
         displacement.y.size());
  }
  const auto& m = matrix;
  cv::Mat places(height, width, CV_32FC2);
  for (int y = 0; y < height; ++y) {
    auto* place = places.ptr<cv::Vec2f>(y);
    for (int x = 0; x < width; ++x) {
      const auto at = static_cast<size_t>(int64_t{y} * width + x);
      place[x][0] = static_cast<float>(m[0] * x + m[1] * y + m[2]) + (moves ? displacement.x[at] : 0.0f);
      place[x][1] = static_cast<float>(m[3] * x + m[4] * y + m[5]) + (moves ? displacement.y[at] : 0.0f);
    }
  }
  cv::Mat out;
  cv::remap(picture, out, places, {}, cv::INTER_LINEAR, cv::BORDER_CONSTANT, cv::Scalar::all(0));
  return out;
}

}  // namespace vit
