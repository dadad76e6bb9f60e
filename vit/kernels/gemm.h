// Matrix products through oneDNN, on the calling thread only: fp32; bf16 and int8 with fp32 results or rounded ones.
// Weights are stored as timm and PyTorch store them: W [O, I], y = x W^T + b.
#pragma once

#include <cstdint>
#include <memory>

#include "vit/core/matrix.h"

namespace vit {

enum class Activation { none, gelu_erf, gelu_tanh, quick_gelu };

struct GemmOptions {
  bool transpose_a = false;  // a is given as [K, M]
  bool transpose_b = false;  // b is given as [N, K]
  bool accumulate = false;   // c += product
};
/// c [M, N] = a [M, K] b [K, N]; a and b both fp32 or both bf16, c fp32 (or bf16 from bf16). Rows may be strided.
/// Throws Error (internal) when shapes or types do not match.
void gemm(ConstMatrix a, ConstMatrix b, Matrix c, const GemmOptions& options = {});

/// A weight matrix W [O, I] and its bias, copied into the layout that the processor multiplies fastest. With AVX-512
/// the bits of a result row depend on that row of the input alone, not on how many rows go with it; with less they
/// may not. Many threads may call `multiply` at once; `pack` must not run beside it.
class PackedWeight {
 public:
  enum class Use {
    forward,        // y [M, O] = x [M, I] W^T + b
    backward_data,  // dx [M, I] = dy [M, O] W
  };
  struct Options {
    DType type = DType::f32;      // of the products; int8 only forward
    const float* bias = nullptr;  // [O], only forward
    float input_scale = 1;        // int8: what one unit of the input stands for
  };
  PackedWeight();
  ~PackedWeight();
  PackedWeight(PackedWeight&&) noexcept;
  PackedWeight& operator=(PackedWeight&&) noexcept;

  /// Copies `weight` [O, I] (contiguous rows); again with the same shape after a training step: no allocation.
  /// int8 is symmetric with a scale for each output: max |row| is 127.
  void pack(TensorView<const float> weight, Use use, const Options& options);
  /// `in` of the packed type; `out` fp32, or bf16 unless packed as fp32; both dense. `accumulate` adds to what `out`
  /// holds.
  void multiply(ConstMatrix in, Matrix out, bool accumulate = false) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// How many products the calling thread keeps prepared for the next of their kind.
int64_t kept_products();

/// Products run on the calling thread only: sets its OpenMP thread count to 1. Called by the first product of a
/// thread; a thread that multiplies and also uses OpenMP for itself must set its own count again afterwards.
void use_one_product_thread();

}  // namespace vit
