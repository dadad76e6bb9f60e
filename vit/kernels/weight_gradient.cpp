#include "vit/kernels/weight_gradient.h"

#include "vit/core/buffer.h"
#include "vit/kernels/elementwise.h"
#include "vit/kernels/gemm.h"
#include "vit/kernels/isa.h"
#include "vit/kernels/weight_gradient_bf16.h"

namespace vit {
namespace {

/// Copies of the factors that a thread works on.
struct Scratch {
  AlignedBuffer<Bf16Pair> dy_tiles, x_panels;

  void reserve(int64_t outputs, int64_t inputs) {
    grow(dy_tiles, bf16_dy_tiles_size(outputs));
    grow(x_panels, bf16_x_panels_size(inputs));
  }

 private:
  static void grow(AlignedBuffer<Bf16Pair>& buffer, int64_t size) {
    if (buffer.size() < size) buffer = AlignedBuffer<Bf16Pair>::for_overwrite(size);
  }
};

}  // namespace

void add_weight_gradient(ConstMatrix dy, ConstMatrix x, TensorView<float> dw, float* dbias) {
  constexpr int64_t kLanes = 16;
  if (dy.type() != DType::bf16 || x.type() != DType::bf16 || dw.cols() % kLanes != 0 || !avx512_bf16_runs()) {
    gemm(dy, x, dw, {.transpose_a = true, .accumulate = true});
    if (dbias != nullptr) add_column_sums(dy, dbias);
    return;
  }
  if (dy.rows() != x.rows() || dw.rows() != dy.cols() || dw.cols() != x.cols())
    fail(ErrorKind::internal, "[weight gradient] needs dw [", dy.cols(), ", ", x.cols(), "] of ", dy.rows(),
         " rows, has [", dw.rows(), ", ", dw.cols(), "] of ", x.rows());
  thread_local Scratch scratch;
  scratch.reserve(dy.cols(), x.cols());
  add_weight_gradient_avx512_bf16(
      {bf16_rows(dy), bf16_rows(x), dw.data(), dw.stride(0), dbias, scratch.dy_tiles.data(), scratch.x_panels.data()});
}

}  // namespace vit
