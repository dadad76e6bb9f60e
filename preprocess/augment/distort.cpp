// Affine and elastic distortion in one bilinear lookup, black outside. The affine matrix is that of torchvision's
// RandomAffine: about the centre, shear first, then scale and rotation, then shift. The elastic part is that of Simard,
// Steinkraus and Platt (ICDAR 2003).
#include "preprocess/augment/operation.h"
#include "preprocess/warp.h"

namespace vit::augment_ops {

/// Draws rotation, shift x, shift y, scale, shear, the plane of elastic x and that of y; what is off draws nothing.
cv::Mat distort(const cv::Mat& picture, const AugmentConfig& config, RandomStream& random) {
  Affine affine;
  const auto draw = [&](float range) { return static_cast<double>(range > 0 ? random.uniform(-range, range) : 0.0f); };
  affine.degrees = draw(config.rotate);
  affine.shift_x = draw(config.shift) * picture.cols;
  affine.shift_y = draw(config.shift) * picture.rows;
  affine.scale = 1.0 + draw(config.scale);
  affine.shear = draw(config.shear);
  Displacement displacement;
  if (config.elastic > 0)
    displacement = random_displacement(picture.cols, picture.rows, config.elastic, config.elastic_sigma, random);
  return warp(picture, inverse_matrix(affine, picture.cols, picture.rows), displacement);
}

}  // namespace vit::augment_ops
