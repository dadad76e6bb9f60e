#include "infer/smoothing.h"

#include <algorithm>
#include <cmath>

namespace vit {
namespace {

/// Parameters by name, as matrices of one row where they are vectors.
class Weights {
 public:
  explicit Weights(Model& model) : model_(model) {}

  /// Null when the model has none of that name.
  TensorView<float> operator[](const std::string& name) const {
    const Parameter* p = model_.layout.find(name);
    if (p == nullptr) return {};
    const int64_t cols = p->shape.back();
    return {at(model_.weights, *p), {p->count / cols, cols}};
  }

 private:
  Model& model_;
};

/// By how much each input channel of `weight` [O, I] shrinks. Channels that are never used stay.
std::vector<float> channel_factors(TensorView<const float> weight, const std::vector<float>& range, float migration) {
  std::vector<float> factors(range.size(), 1);
  for (std::size_t j = 0; j < range.size(); ++j) {
    float top = 0;
    for (int64_t o = 0; o < weight.rows(); ++o) top = std::max(top, std::fabs(weight[o].data()[j]));
    const float factor = std::pow(range[j], migration) / std::pow(top, 1 - migration);
    if (range[j] > 0 && top > 0 && std::isnormal(factor)) factors[j] = factor;
  }
  return factors;
}

/// The reader of the scaled channels: columns of W up, its ranges down.
void scale_reader(TensorView<float> weight, const std::vector<float>& factors, std::vector<float>& range) {
  for (int64_t o = 0; o < weight.rows(); ++o)
    for (std::size_t j = 0; j < factors.size(); ++j) weight[o].data()[j] *= factors[j];
  for (std::size_t j = 0; j < factors.size(); ++j) range[j] /= factors[j];
}

void shrink(float* values, const std::vector<float>& factors) {
  for (std::size_t j = 0; j < factors.size(); ++j) values[j] /= factors[j];
}

void smooth_after_norm(const Weights& weights, const std::string& norm, const std::string& reader,
                       ChannelRanges& ranges, float migration) {
  const std::vector<float> factors = channel_factors(weights[reader], ranges.at(reader), migration);
  shrink(weights[norm + ".weight"].data(), factors);
  shrink(weights[norm + ".bias"].data(), factors);
  scale_reader(weights[reader], factors, ranges.at(reader));
}

/// The heads' outputs are weighted means of the values, so a factor of a value channel is one of the same channel
/// there.
void smooth_values(const Weights& weights, const std::string& qkv, const std::string& proj, ChannelRanges& ranges,
                   float migration) {
  const std::string reader = proj + ".weight";
  const std::vector<float> factors = channel_factors(weights[reader], ranges.at(reader), migration);
  const auto width = static_cast<int64_t>(factors.size());
  const TensorView<float> values = weights[qkv + ".weight"].slice(2 * width, width);
  for (int64_t j = 0; j < width; ++j)
    for (int64_t i = 0; i < width; ++i) values[j].data()[i] /= factors[static_cast<std::size_t>(j)];
  if (const TensorView<float> bias = weights[qkv + ".bias"]) shrink(bias.data() + 2 * width, factors);
  scale_reader(weights[reader], factors, ranges.at(reader));
}

}  // namespace

void smooth(Model& model, ChannelRanges& ranges, float migration) {
  const Weights weights(model);
  for (int64_t i = 0; i < model.config.depth; ++i) {
    const std::string block = concat("blocks.", i, ".");
    smooth_values(weights, block + "attn.qkv", block + "attn.proj", ranges, migration);
    smooth_after_norm(weights, block + "norm1", block + "attn.qkv.weight", ranges, migration);
    smooth_after_norm(weights, block + "norm2", block + "mlp.fc1.weight", ranges, migration);
  }
}

}  // namespace vit
