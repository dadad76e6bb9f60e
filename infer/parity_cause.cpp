#include "infer/parity_cause.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "infer/text_format.h"
#include "vit/core/error.h"

namespace vit {
namespace {

constexpr double kRounding = 1e-5;  // relative; what the order of sums in fp32 makes in a deep model

bool is_rounding(const StageValues& v) { return v.relative < kRounding; }
const std::string kRoundingCause = "no more than rounding in fp32: a larger --tolerance lets it pass";

/// theirs = scale * ours + shift, by least squares.
struct Line {
  double scale = 0, shift = 0;
  double rest = 0;  // root mean square of what it leaves
};

/// body(ours, theirs) for each pixel of a channel.
template <class Body>
void for_channel(const StageValues& v, std::size_t ours_channel, std::size_t channel, Body body) {
  const auto images = static_cast<std::size_t>(v.images), plane = v.ours.size() / images / 3;
  for (std::size_t b = 0; b < images; ++b)
    for (std::size_t i = 0; i < plane; ++i)
      body(static_cast<double>(v.ours[(3 * b + ours_channel) * plane + i]),
           static_cast<double>(v.theirs[(3 * b + channel) * plane + i]));
}

Line fitted(const StageValues& v, std::size_t channel) {
  double n = 0, x = 0, y = 0, xx = 0, xy = 0, yy = 0;
  for_channel(v, channel, channel,
              [&](double a, double b) { n += 1, x += a, y += b, xx += a * a, xy += a * b, yy += b * b; });
  const double variance = xx - x * x / n;
  if (variance <= 0) return {0, 0, std::numeric_limits<double>::infinity()};
  Line line;
  line.scale = (xy - x * y / n) / variance;
  line.shift = (y - line.scale * x) / n;
  line.rest = std::sqrt(std::max(0.0, (yy - y * y / n - line.scale * (xy - x * y / n)) / n));
  return line;
}

bool colours_swapped(const StageValues& v) {
  double straight = 0, swapped = 0;
  for (std::size_t c : {std::size_t{0}, std::size_t{2}}) {
    for_channel(v, c, c, [&](double a, double b) { straight += (a - b) * (a - b); });
    for_channel(v, 2 - c, c, [&](double a, double b) { swapped += (a - b) * (a - b); });
  }
  return swapped < 0.05 * straight;
}

/// The largest difference, in steps of a pixel's 256 values, and the share of pixels that differ by half a step.
struct Steps {
  double largest = 0, share = 0;
};

Steps steps_of(const StageValues& v, const PreprocessConfig& p) {
  Steps steps;
  for (std::size_t c = 0; c < 3; ++c)
    for_channel(v, c, c, [&](double a, double b) {
      const double step = std::fabs(a - b) * 255 * static_cast<double>(p.std[c]);
      steps.largest = std::max(steps.largest, step);
      steps.share += step > 0.5 ? 1 : 0;
    });
  steps.share /= static_cast<double>(v.ours.size());
  return steps;
}

/// The mean and std that make theirs of our pixels, where nothing but these is another.
std::string other_numbers(const StageValues& v, const PreprocessConfig& p) {
  constexpr double kStep = 1.0 / 255;
  std::string means, stds;
  bool other = false;
  for (std::size_t c = 0; c < 3; ++c) {
    const Line line = fitted(v, c);
    const double ours_std = static_cast<double>(p.std[c]), ours_mean = static_cast<double>(p.mean[c]);
    if (!(line.scale > 0.01 && line.rest * ours_std / line.scale < 0.5 * kStep)) return {};
    // (x - mean) / std = scale * (x - ours_mean) / ours_std + shift
    const double std = ours_std / line.scale, mean = ours_mean - line.shift * std;
    means += concat(c == 0 ? "" : " ", fixed(mean, 4)), stds += concat(c == 0 ? "" : " ", fixed(std, 4));
    other = other || std::fabs(mean - ours_mean) > 0.5 * kStep || std::fabs(std / ours_std - 1) > 0.005;
  }
  return other ? concat("mean and std: the reference has mean ", means, ", std ", stds) : std::string();
}

/// Of each token: the largest difference over images and width.
std::vector<double> by_token(const StageValues& v, int64_t tokens) {
  std::vector<double> largest(static_cast<std::size_t>(tokens));
  const std::size_t width = v.ours.size() / static_cast<std::size_t>(v.images * tokens);
  for (std::size_t i = 0; i < v.ours.size(); ++i) {
    double& seen = largest[i / width % largest.size()];
    seen = std::max(seen, std::fabs(static_cast<double>(v.ours[i]) - static_cast<double>(v.theirs[i])));
  }
  return largest;
}

/// The difference does not depend on the picture.
bool same_for_all_pictures(const StageValues& v) {
  if (v.images < 2) return false;
  const std::size_t one = v.ours.size() / static_cast<std::size_t>(v.images);
  double first = 0, changes = 0;
  for (std::size_t i = 0; i < v.ours.size(); ++i) {
    const double here = static_cast<double>(v.ours[i]) - static_cast<double>(v.theirs[i]);
    const double there = static_cast<double>(v.ours[i % one]) - static_cast<double>(v.theirs[i % one]);
    first += there * there, changes += (here - there) * (here - there);
  }
  return changes < 1e-4 * first;
}

/// Theirs holds our logits in another order.
bool reordered(const StageValues& v) {
  const std::size_t classes = v.ours.size() / static_cast<std::size_t>(v.images);
  for (std::size_t b = 0; b < static_cast<std::size_t>(v.images); ++b) {
    const auto sorted = [&](std::span<const float> all) {
      std::vector<float> one(all.begin() + static_cast<std::ptrdiff_t>(b * classes),
                             all.begin() + static_cast<std::ptrdiff_t>((b + 1) * classes));
      std::sort(one.begin(), one.end());
      return one;
    };
    const std::vector<float> ours = sorted(v.ours), theirs = sorted(v.theirs);
    for (std::size_t c = 0; c < classes; ++c)
      if (!(std::fabs(ours[c] - theirs[c]) <= 1e-4f * (1 + std::fabs(theirs[c])))) return false;
  }
  return true;
}

}  // namespace

std::string pixels_cause(const StageValues& v, const PreprocessConfig& p) {
  if (std::string numbers = other_numbers(v, p); !numbers.empty()) return numbers;
  if (colours_swapped(v)) return "red and blue are exchanged";
  const Steps steps = steps_of(v, p);
  const std::string far =
      concat(percent(steps.share), " of the values, by ", fixed(steps.largest, 1), " of 255 at most");
  if (steps.largest < 2.5) return concat("rounding of the resize, or another decoder: ", far);
  return concat("resize rule, filter, size before the crop, or place of the crop: ", far);
}

std::string tokens_cause(const StageValues& v, const ModelConfig& config) {
  if (is_rounding(v)) return kRoundingCause;
  const Tokens tokens = config.tokens();
  const std::vector<double> largest = by_token(v, tokens.count());
  const auto grid = largest.begin() + tokens.prefix;
  const double before = tokens.prefix > 0 ? *std::max_element(largest.begin(), grid) : 0;
  const double behind = *std::max_element(grid, largest.end());
  if (behind < 1e-3 * before) return concat("class token, registers or their positions: the patches' tokens agree");
  if (same_for_all_pictures(v))
    return "positions (or the bias of the patch projection): the difference is the same for every picture";
  return concat("patch projection", config.patch_norm ? ", its norm" : "",
                config.pre_norm ? ", the norm before the blocks" : "", ", or positions");
}

std::string block_cause(const StageValues& v, int64_t block) {
  if (is_rounding(v)) return kRoundingCause;
  constexpr double kSmall = 5e-3, kEverywhere = 0.2;
  if (v.relative < kSmall && v.beyond > kEverywhere)
    return "small everywhere: eps of the norms, kind of GELU (erf, tanh, quick), or a reference in less than fp32";
  return concat(
      "weights of block ", block,
      ", or a part that computes another thing: order of q, k and v, rotary positions, norms of q and k, layer "
      "scale, kind of feed-forward");
}

std::string features_cause(const StageValues& v, const ModelConfig& config) {
  if (is_rounding(v)) return kRoundingCause;
  return concat("weights or eps of the last norm, where it stands (final_norm ", word_of(config.final_norm),
                "), or pooling (", config.distilled ? "distilled" : config.pooling, ")");
}

std::string logits_cause(const StageValues& v) {
  if (is_rounding(v)) return kRoundingCause;
  if (reordered(v)) return "the classes are in another order";
  return "weights of the head";
}

std::string shape_cause(const std::string& stage) {
  if (stage == "pixels") return "side of the picture that goes into the model";
  if (stage == "patch rows") return "side of a patch";
  if (stage == "tokens") return "class token, registers, side of the picture or of a patch";
  if (stage == "features") return "what is pooled";
  return stage == "logits" ? "number of classes" : "width of the model, or tokens that leave a block";
}

}  // namespace vit
