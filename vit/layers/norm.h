// Normalisation of each token over its width: the interface, and layer normalisation with learned scale and shift.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "vit/core/arena.h"
#include "vit/layers/context.h"

namespace vit {

class Norm {
 public:
  virtual ~Norm() = default;

  /// The result is multiplied by `output_scale` (1 / what one unit of an int8 result stands for).
  virtual void pack(const Packing& packing, float output_scale = 1) = 0;

  /// What makes the channels of the result.
  virtual std::vector<Channels::Source> outputs() const = 0;

  /// What backward needs of each row [M]; null where a kind has no use for it.
  struct Saved {
    TensorView<float> mean, rstd;

    /// Of `count` rows from `begin`.
    Saved slice(int64_t begin, int64_t count) const {
      return {mean ? mean.slice(begin, count) : mean, rstd ? rstd.slice(begin, count) : rstd};
    }
  };
  virtual Saved plan(Arena& arena, int64_t rows) const = 0;

  /// y [M, D] of any type, for the product that reads it, from x, fp32 or bf16; y may be x where the types are equal.
  virtual void forward(ConstMatrix x, Matrix y) const = 0;
  virtual void forward_train(ConstMatrix x, Matrix y, const Saved& saved) const = 0;
  /// dx [M, D] = gradient of x + `residual` where given (dx may be dy or residual); dy, x and dx of one type, fp32 or
  /// bf16.
  virtual void backward(ConstMatrix dy, ConstMatrix x, const Saved& saved, const Shard& shard,
                        const Gradients& gradients, TensorView<const float> residual, Matrix dx) const = 0;
};

/// Makes a norm of one width under a name: the norm of a model.
using MakeNorm = std::function<std::unique_ptr<Norm>(Registry& registry, const std::string& name, int64_t width)>;

/// Ba et al., arXiv:1607.06450.
class LayerNorm final : public Norm {
 public:
  /// Registers `<name>.weight` [D] and `<name>.bias` [D].
  LayerNorm(Registry& registry, const std::string& name, int64_t width, float eps);

  void pack(const Packing& packing, float output_scale = 1) override;
  std::vector<Channels::Source> outputs() const override { return {{weight_, 0}, {bias_, 0}}; }
  Saved plan(Arena& arena, int64_t rows) const override;
  void forward(ConstMatrix x, Matrix y) const override;
  void forward_train(ConstMatrix x, Matrix y, const Saved& saved) const override;
  void backward(ConstMatrix dy, ConstMatrix x, const Saved& saved, const Shard& shard, const Gradients& gradients,
                TensorView<const float> residual, Matrix dx) const override;

 private:
  int64_t width_;
  float eps_;
  int weight_;
  int bias_;
  int section_;
  AlignedBuffer<float> gamma_, beta_;
};

}  // namespace vit
