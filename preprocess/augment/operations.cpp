#include <algorithm>
#include <cstdint>
#include <iterator>
#include <opencv2/core.hpp>

#include "preprocess/augment/operation.h"
#include "preprocess/image.h"
#include "vit/core/name_hash.h"

namespace vit {
namespace augment_ops {

Apply crop, flip, distort, erase, random_resized_crop;  // each in the file of its name

}  // namespace augment_ops

namespace {

using namespace augment_ops;

/// In the order in which those of a stage are applied. The first four draw from one stream in turn, so that a seed goes
/// on giving the pictures that it gave when they were all there was; every other has its own, so that adding it changes
/// no other's numbers.
constexpr Operation kOperations[] = {
    {"crop", AugmentStage::square, Draws::in_turn, [](const AugmentConfig& c) { return c.crop_padding > 0; }, crop},
    {"flip", AugmentStage::square, Draws::in_turn, [](const AugmentConfig& c) { return c.flip > 0; }, flip},
    {"distort", AugmentStage::square, Draws::in_turn,
     [](const AugmentConfig& c) { return c.rotate > 0 || c.shift > 0 || c.scale > 0 || c.shear > 0 || c.elastic > 0; },
     distort},
    {"erase", AugmentStage::square, Draws::in_turn, [](const AugmentConfig& c) { return c.erase > 0; }, erase},
    {"random_resized_crop", AugmentStage::source, Draws::own,
     [](const AugmentConfig& c) { return c.random_resized_crop > 0; }, random_resized_crop},
};

}  // namespace

AugmentRandom::AugmentRandom(uint64_t seed, uint64_t epoch, uint64_t sample)
    : shared(seed, RandomPurpose::augment, epoch, sample), seed_(seed), epoch_(epoch), sample_(sample) {}

RandomStream AugmentRandom::of(std::string_view operation) const {
  return {seed_ ^ name_hash<uint64_t>(operation), RandomPurpose::augment, epoch_, sample_};
}

bool acts(AugmentStage stage, const AugmentConfig& config) {
  return std::any_of(std::begin(kOperations), std::end(kOperations),
                     [&](const Operation& operation) { return operation.stage == stage && operation.is_on(config); });
}

cv::Mat augment(const cv::Mat& picture, AugmentStage stage, const AugmentConfig& config, AugmentRandom& random) {
  check_pixels(picture);
  cv::Mat out = picture;
  for (const Operation& operation : kOperations) {
    if (operation.stage != stage || !operation.is_on(config)) continue;
    if (operation.draws == Draws::in_turn) {
      out = operation.apply(out, config, random.shared);
    } else {
      RandomStream own = random.of(operation.name);
      out = operation.apply(out, config, own);
    }
  }
  return out;
}

}  // namespace vit
