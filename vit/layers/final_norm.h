// The last norm of a network, which stands in the readout: before it pools the tokens, behind that, or nowhere.
#pragma once

#include <memory>
#include <string>

#include "vit/core/arena.h"
#include "vit/layers/norm.h"

namespace vit {

/// What makes the norms that a readout has room for, each null where the model has none there.
struct FinalNorms {
  MakeNorm before = {};  // of all tokens, called "norm"
  MakeNorm after = {};   // of what was pooled, called "fc_norm"
};

/// A norm of fp32 rows that may be absent: then what goes in comes out.
class OptionalNorm {
 public:
  OptionalNorm() = default;
  /// Registers a norm under `name` unless `make` is null.
  OptionalNorm(Registry& registry, const MakeNorm& make, const std::string& name, int64_t width);

  explicit operator bool() const { return norm_ != nullptr; }

  void pack(const Packing& packing);

  struct Saved {
    Norm::Saved norm;
    TensorView<float> y;  // [M, D]; null without a norm
  };
  Saved plan(Arena& arena, int64_t rows) const;

  /// saved.y from x [M, D], or x itself; the same in training and in inference.
  TensorView<const float> forward(TensorView<const float> x, const Saved& saved) const;
  /// dx [M, D], from the gradient of the result to that of x, in place.
  void backward(TensorView<const float> x, const Saved& saved, const Shard& shard, const Gradients& gradients,
                TensorView<float> dx) const;

 private:
  int64_t width_ = 0;
  std::unique_ptr<Norm> norm_;
};

}  // namespace vit
