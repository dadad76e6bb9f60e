// What every layer is handed beside its input. One pattern for all layers:
//   constructor                       registers the parameters under timm's names
//   pack(packing)                     takes in the values, matrices in the layouts that products run on
//   forward(x, ...)                   inference
//   forward_train(x, ..., saved)      the same numbers, and what backward needs
//   backward(dy, saved, ..., dx)      parameter gradients are added in shard order, activation gradients overwrite
// Parameter gradients are added (+=), activation gradients overwritten, residual sums written out.
// The residual stream, norms, softmax, gradients of parameters and all sums are fp32. What enters a product is of the
// type of that product: fp32, bf16, or in inference int8 (docs/numerics.md).
// Parts that stand behind an interface (norm, mixer, feed-forward, stage, tokenizer, readout) keep what they plan as a
// State, which only they look into.
#pragma once

#include <any>
#include <cstdint>

#include "vit/core/profile.h"
#include "vit/core/turnstile.h"
#include "vit/kernels/elementwise.h"
#include "vit/layers/parameter.h"
#include "vit/layers/tokens.h"

namespace vit {

/// Views into a workspace, as the part that planned them knows them: state_of<Part::Saved>(state).
using State = std::any;
/// Throws Error (internal) for a state of another part.
template <class T>
const T& state_of(const State& state) {
  const T* found = std::any_cast<T>(&state);
  if (found == nullptr) fail(ErrorKind::internal, "[layer] was handed the workspace of another layer");
  return *found;
}

/// Random regularisation during training; all zero in inference.
struct Regularization {
  float dropout = 0;            // after position embedding, attention projection, fc1 and fc2
  float attention_dropout = 0;  // of the attention probabilities
  float drop_path = 0;          // of the last block; grows linearly from 0 at the first
  uint64_t seed = 0;
};

/// Called with the index of a weight matrix and rows that it is about to multiply.
using InputObserver = std::function<void(int weight, ConstMatrix x)>;

/// How layers take in their parameters.
struct Packing {
  ParameterSource values;
  DType dtype = DType::f32;  // of the products; int8 means bf16 where `input_scale` says nothing
  bool training = false;     // also packs for backward
  /// int8: what one unit of the input of a weight matrix stands for; 0 = its product stays in bf16.
  std::function<float(int weight)> input_scale = {};
  /// Sees the input of every Linear in inference, from many threads at once (calibration).
  InputObserver observe = {};
};

/// The images that a worker has in hand. M = images * own tokens rows go through the layers.
struct Shard {
  int64_t images = 0;
  Tokens tokens;                          // of each image, the keys of attention
  int64_t first_token = 0;                // the worker's share of the tokens, where several work on one image
  int64_t own_tokens = -1;                // -1 = all
  const int32_t* valid_tokens = nullptr;  // [images], the prefix counted; null = all
  int64_t index = 0;                      // of the shard in the step: its turn at the gates
  int64_t step = 0;                       // with first_image, the key of the dropout masks
  int64_t first_image = 0;
  Regularization regularization;

  int64_t own() const { return own_tokens < 0 ? tokens.count() : own_tokens; }
  int64_t rows() const { return images * own(); }
  int64_t valid(int64_t image) const { return valid_tokens != nullptr ? valid_tokens[image] : tokens.count(); }
  /// The same images, of which only the class token goes on.
  Shard class_tokens() const {
    Shard shard = *this;
    shard.own_tokens = 1;
    return shard;
  }
};

/// The type of an activation that an own kernel stands between with: int8 is only made by that kernel.
constexpr DType between_products(DType type) { return type == DType::f32 ? DType::f32 : DType::bf16; }
/// x itself, or a copy in the type of `scratch` where that is another.
ConstMatrix for_product(ConstMatrix x, Matrix scratch);

/// The shared gradient block and the gates before its parts.
class Gradients {
 public:
  Gradients(ParameterBlock& block, const ParameterLayout& layout, Turnstile& gates)
      : block_(&block), layout_(&layout), gates_(&gates) {}

  float* at(int parameter) const { return block_->data() + (*layout_)[parameter].offset; }

  /// Runs add() when it is this shard's turn at the section.
  template <class Add>
  void in_turn(int section, const Shard& shard, Add add) const {
    {
      const ProfileScope profile("waiting for the turn");
      gates_->enter(section, shard.index);
    }
    add();
    gates_->leave(section);
  }

 private:
  ParameterBlock* block_;
  const ParameterLayout* layout_;
  Turnstile* gates_;
};

/// Hands out gate numbers while the layers are built.
class Registry {
 public:
  explicit Registry(ParameterLayout& layout) : layout_(&layout) {}
  int parameter(std::string name, std::vector<int64_t> shape, const ParameterRole& role) {
    return layout_->add(std::move(name), std::move(shape), role);
  }
  /// The parameter of that name, registered by the first layer that asks: for what several layers share.
  int shared_parameter(const std::string& name, std::vector<int64_t> shape, const ParameterRole& role) {
    const Parameter* known = layout_->find(name);
    return known != nullptr ? static_cast<int>(known - layout_->all().data()) : parameter(name, std::move(shape), role);
  }
  /// Nothing without a reader.
  void channels(Channels channels) {
    if (channels.reader >= 0) layout_->add_channels(std::move(channels));
  }
  int section() { return sections_++; }
  int sections() const { return sections_; }

 private:
  ParameterLayout* layout_;
  int sections_ = 0;
};

/// Where a dropout site draws its mask for one image; `site` tells the sites of a model apart.
DropoutMask image_mask(const Shard& shard, int64_t image, float rate, int site);
/// Drops from x [M, cols], contiguous fp32 or bf16, in place; nothing when the rate is 0.
void dropout_rows(const Shard& shard, Matrix x, float rate, int site);
/// Scale of an image's residual branch by stochastic depth: 0 or 1 / (1 - rate). Huang et al., arXiv:1603.09382.
float drop_path_scale(const Shard& shard, int64_t image, float rate, int site);
/// Rows of each image times its drop_path_scale.
void drop_path_rows(const Shard& shard, TensorView<float> x, float rate, int site);

}  // namespace vit
