#include "infer/smoothing.h"

#include <algorithm>
#include <cmath>

namespace vit {
namespace {

TensorView<float> matrix_of(Model& model, int parameter) {
  const Parameter& p = model.layout[parameter];
  return {at(model.weights, p), {p.count / p.shape.back(), p.shape.back()}};
}

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

/// Rows of a matrix, or elements of a vector, from the source's first one.
void shrink(Model& model, const Channels::Source& source, const std::vector<float>& factors) {
  const Parameter& p = model.layout[source.parameter];
  const int64_t row = p.shape.size() > 1 ? p.count / p.shape.front() : 1;
  float* values = at(model.weights, p) + source.first * row;
  for (const float factor : factors)
    for (int64_t i = 0; i < row; ++i) *values++ /= factor;
}

/// The reader of the scaled channels: columns of W up, its ranges down.
void scale_reader(TensorView<float> weight, const std::vector<float>& factors, std::vector<float>& range) {
  for (int64_t o = 0; o < weight.rows(); ++o)
    for (std::size_t j = 0; j < factors.size(); ++j) weight[o].data()[j] *= factors[j];
  for (std::size_t j = 0; j < factors.size(); ++j) range[j] /= factors[j];
}

}  // namespace

void smooth(Model& model, ChannelRanges& ranges, float migration) {
  for (const Channels& channels : model.layout.channels()) {
    const auto range = ranges.find(model.layout[channels.reader].name);
    if (range == ranges.end()) continue;  // its product is not in int8
    const TensorView<float> reader = matrix_of(model, channels.reader);
    const std::vector<float> factors = channel_factors(reader, range->second, migration);
    for (const Channels::Source& source : channels.sources) shrink(model, source, factors);
    scale_reader(reader, factors, range->second);
  }
}

}  // namespace vit
