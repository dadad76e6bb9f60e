// All parameters of a model in one aligned block, found by name. A second set of the same layout holds the
// gradients; optimizer, norm, averages and files walk the block.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vit/core/buffer.h"
#include "vit/core/rng.h"
#include "vit/core/tensor_view.h"

namespace vit {

/// The first values of a parameter.
struct Draw {
  enum class Kind { constant, truncated_normal, uniform, custom };
  Kind kind = Kind::constant;
  float value = 0;  // the constant, the deviation, or the bound on both sides
  std::function<void(RandomStream& random, float* values)> fill = {};  // of the custom kind

  static Draw constant(float value) { return {Kind::constant, value}; }
  /// Cut off at two deviations.
  static Draw truncated_normal(float deviation) { return {Kind::truncated_normal, deviation}; }
  static Draw uniform(float bound) { return {Kind::uniform, bound}; }
  static Draw custom(std::function<void(RandomStream& random, float* values)> fill) {
    return {Kind::custom, 0, std::move(fill)};
  }
};

/// What a parameter is for, as the layer that registers it declares. Initialisation, quantisation, transfer and
/// optimizers read this; nobody reads it out of names.
struct ParameterRole {
  Draw draw = {};
  bool decay = false;     // weight decay applies: matrices only
  bool product = false;   // the matrix of a product within the stages: may be int8
  bool task = false;      // one row a class: new where the classes are others
  bool trainable = true;  // optimizers may change it
};

struct Parameter {
  std::string name;            // timm's, e.g. "blocks.3.norm1.weight"
  std::vector<int64_t> shape;  // [out, in] for a Linear
  int64_t offset = 0;          // in the block, in floats
  int64_t count = 0;
  ParameterRole role = {};
};

/// Channels that only one matrix reads: what makes them may shrink and the columns of the reader grow, and the network
/// computes the same.
struct Channels {
  struct Source {
    int parameter = -1;  // channel j is its row first + j, or that element of a vector
    int64_t first = 0;
  };
  std::vector<Source> sources;
  int reader = -1;  // a matrix [out, in], whose column j reads channel j
};

/// The names, shapes and places; built once by the layers in the order of the model.
class ParameterLayout {
 public:
  /// Registers a parameter and returns its index. Offsets are multiples of 16 floats.
  int add(std::string name, std::vector<int64_t> shape, const ParameterRole& role);

  const std::vector<Parameter>& all() const { return parameters_; }
  const Parameter& operator[](int index) const { return parameters_[static_cast<std::size_t>(index)]; }
  /// Null when there is none of that name.
  const Parameter* find(std::string_view name) const;
  void add_channels(Channels channels) { channels_.push_back(std::move(channels)); }
  /// In the order of the layers, what is inside a branch before what leads into it.
  const std::vector<Channels>& channels() const { return channels_; }
  /// Floats in a block of this layout, padding included.
  int64_t block_size() const { return block_size_; }
  /// Parameters without padding.
  int64_t parameter_count() const;

 private:
  std::vector<Parameter> parameters_;
  std::vector<Channels> channels_;
  int64_t block_size_ = 0;
};

/// A block of numbers with the layout of the parameters (values, gradients or moments).
using ParameterBlock = AlignedBuffer<float>;

/// The values of one parameter: borrowed, or read for this purpose and owned.
struct ParameterValues {
  const float* data = nullptr;
  AlignedBuffer<float> owned = {};
};
/// Gives the values of a parameter by its index; many threads may ask at once. A whole block never needs to be in
/// memory beside the packed weights.
using ParameterSource = std::function<ParameterValues(int parameter)>;

inline float* at(ParameterBlock& block, const Parameter& p) { return block.data() + p.offset; }
inline const float* at(const ParameterBlock& block, const Parameter& p) { return block.data() + p.offset; }

/// The parameters in `block`, which must outlive the source.
ParameterSource block_source(const ParameterLayout& layout, const ParameterBlock& block);

/// Fills `values` [p.count] with the first values of `p`.
void draw_values(const Parameter& p, RandomStream random, float* values);

}  // namespace vit
