// Matrix products in fp32 through oneDNN, on the calling thread only. Weights are stored as timm and PyTorch
// store them: W [O, I], y = x W^T + b.
#pragma once

#include <memory>

#include "vit/core/tensor_view.h"

namespace vit {

enum class Activation { none, gelu_erf, gelu_tanh };

/// What is done to a product on its way to memory, in this order: + bias, activation, + old contents.
struct Epilogue {
  const float* bias = nullptr;  // [columns of the result]
  Activation activation = Activation::none;
  bool accumulate = false;  // result += product
};

/// c [M, N] = a [M, K] b [K, N]. Rows of a, b, c may be strided; `transpose_*` reads the view as its
/// transpose (a given as [K, M], b as [N, K]). Throws Error (internal) when the shapes do not match.
struct GemmOptions {
  bool transpose_a = false;
  bool transpose_b = false;
  Epilogue epilogue = {};
};
void gemm(TensorView<const float> a, TensorView<const float> b, TensorView<float> c, const GemmOptions& options = {});

/// A weight matrix W [O, I] copied into the layout that the processor multiplies fastest. With AVX-512 the bits of
/// a result row depend on that row of the input alone, not on how many rows go with it; with less they may not.
/// Many threads may call `multiply` at once; `pack` must not run beside it.
class PackedWeight {
 public:
  enum class Use {
    forward,        // y [M, O] = x [M, I] W^T
    backward_data,  // dx [M, I] = dy [M, O] W
  };
  PackedWeight();
  ~PackedWeight();
  PackedWeight(PackedWeight&&) noexcept;
  PackedWeight& operator=(PackedWeight&&) noexcept;

  /// Copies `weight` [O, I] (contiguous rows); again with the same shape after a training step: no allocation.
  void pack(TensorView<const float> weight, Use use);
  void multiply(TensorView<const float> in, TensorView<float> out, const Epilogue& epilogue = {}) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Products run on the calling thread only: sets its OpenMP thread count to 1. Called by the first product of a
/// thread; a thread that multiplies and also uses OpenMP for itself must set its own count again afterwards.
void use_one_product_thread();

}  // namespace vit
