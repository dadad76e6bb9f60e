// The vector kernels at the sizes of ViT-Tiny, one thread, on data that is in the L2 cache: time an element.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <vector>

#include "vit/core/buffer.h"
#include "vit/core/rng.h"
#include "vit/kernels/adamw.h"
#include "vit/kernels/elementwise.h"
#include "vit/kernels/gelu.h"
#include "vit/kernels/layernorm.h"

namespace {

using vit::Activation;
using vit::AlignedBuffer;
using vit::DType;
using vit::Matrix;
using vit::TensorView;

constexpr int64_t kRows = 260, kCols = 192, kCount = kRows * kCols;

// The arrays have room for fp32; a bench may take them for a smaller type.
struct Data {
  AlignedBuffer<float> x{kCount}, y{kCount}, z{kCount}, w{kCount}, row{kCols}, other_row{kCols}, mean{kRows},
      rstd{kRows};
  /// x and y hold numbers of the type.
  explicit Data(DType type) {
    vit::RandomStream stream(1, vit::RandomPurpose::test);
    for (AlignedBuffer<float>* b : {&x, &y, &row, &other_row, &mean})
      for (float& v : b->span()) v = stream.normal();
    for (float& v : rstd.span()) v = 1;
    for (AlignedBuffer<float>* b : {&x, &y}) {
      vit::convert(matrix(*b), matrix(w, type));
      vit::convert(matrix(w, type), matrix(*b, type));
    }
    for (float& v : w.span()) v = 0;
  }
  static TensorView<float> matrix(AlignedBuffer<float>& b) { return {b.data(), {kRows, kCols}}; }
  static Matrix matrix(AlignedBuffer<float>& b, DType type) { return {b.data(), type, kRows, kCols, kCols}; }
};

template <class Body>
void run(benchmark::State& state, Body body, DType type = DType::f32) {
  Data data(type);
  for (auto _ : state) {
    body(data);
    benchmark::ClobberMemory();
  }
  using benchmark::Counter;
  state.counters["per_element"] = Counter(kCount, Counter::kIsIterationInvariantRate | Counter::kInvert);
}

void layernorm_forward(benchmark::State& state, DType from, DType to) {
  run(
      state,
      [=](Data& d) {
        vit::layernorm_forward(d.matrix(d.x, from), d.row.data(), d.other_row.data(), 1e-6f, d.matrix(d.y, to),
                               d.mean.data(), d.rstd.data());
      },
      from);
}

void layernorm_backward(benchmark::State& state) {
  run(state, [](Data& d) {
    vit::layernorm_backward(d.matrix(d.y), d.matrix(d.x), d.mean.data(), d.rstd.data(), d.row.data(), d.matrix(d.y),
                            d.matrix(d.z), d.row.data(), d.other_row.data());
  });
}

void gelu_forward(benchmark::State& state, Activation kind, DType from, DType to) {
  run(
      state, [=](Data& d) { vit::gelu_forward(d.matrix(d.x, from), kind, d.matrix(d.y, to), 30); }, from);
}

void gelu_backward(benchmark::State& state, Activation kind, DType type) {
  run(
      state, [=](Data& d) { vit::gelu_backward(d.matrix(d.y, type), d.matrix(d.x, type), kind, d.matrix(d.z, type)); },
      type);
}

void convert(benchmark::State& state, DType from, DType to) {
  run(
      state, [=](Data& d) { vit::convert(d.matrix(d.x, from), d.matrix(d.y, to), 30); }, from);
}

void max_abs(benchmark::State& state, DType type) {
  run(
      state, [=](Data& d) { benchmark::DoNotOptimize(vit::max_abs(d.matrix(d.x, type))); }, type);
}

void column_sums(benchmark::State& state, DType type) {
  run(
      state, [=](Data& d) { vit::add_column_sums(d.matrix(d.x, type), d.row.data()); }, type);
}

void sum_of_squares(benchmark::State& state) {
  run(state, [](Data& d) { benchmark::DoNotOptimize(vit::sum_of_squares(d.x.data(), kCount)); });
}

void dropout(benchmark::State& state, DType type) {
  run(
      state, [=](Data& d) { vit::dropout(d.matrix(d.x, type), {.rate = 0.1f}, 0, d.matrix(d.y, type)); }, type);
}

void adamw(benchmark::State& state) {
  run(state, [](Data& d) { vit::adamw_update({}, d.x.data(), kCount, d.y.data(), d.z.data(), d.w.data()); });
}

BENCHMARK_CAPTURE(layernorm_forward, fp32, DType::f32, DType::f32);
BENCHMARK_CAPTURE(layernorm_forward, bf16, DType::f32, DType::bf16);
BENCHMARK_CAPTURE(layernorm_forward, int8, DType::f32, DType::i8);
BENCHMARK_CAPTURE(layernorm_forward, bf16_bf16, DType::bf16, DType::bf16);
BENCHMARK(layernorm_backward);
BENCHMARK_CAPTURE(gelu_forward, erf_fp32_fp32, Activation::gelu_erf, DType::f32, DType::f32);
BENCHMARK_CAPTURE(gelu_forward, erf_fp32_bf16, Activation::gelu_erf, DType::f32, DType::bf16);
BENCHMARK_CAPTURE(gelu_forward, erf_fp32_int8, Activation::gelu_erf, DType::f32, DType::i8);
BENCHMARK_CAPTURE(gelu_forward, erf_bf16_bf16, Activation::gelu_erf, DType::bf16, DType::bf16);
BENCHMARK_CAPTURE(gelu_forward, erf_bf16_int8, Activation::gelu_erf, DType::bf16, DType::i8);
BENCHMARK_CAPTURE(gelu_forward, tanh_fp32_fp32, Activation::gelu_tanh, DType::f32, DType::f32);
BENCHMARK_CAPTURE(gelu_forward, tanh_bf16_bf16, Activation::gelu_tanh, DType::bf16, DType::bf16);
BENCHMARK_CAPTURE(gelu_forward, quick_fp32_fp32, Activation::quick_gelu, DType::f32, DType::f32);
BENCHMARK_CAPTURE(gelu_forward, quick_bf16_bf16, Activation::quick_gelu, DType::bf16, DType::bf16);
BENCHMARK_CAPTURE(gelu_backward, erf_fp32, Activation::gelu_erf, DType::f32);
BENCHMARK_CAPTURE(gelu_backward, erf_bf16, Activation::gelu_erf, DType::bf16);
BENCHMARK_CAPTURE(gelu_backward, tanh_fp32, Activation::gelu_tanh, DType::f32);
BENCHMARK_CAPTURE(gelu_backward, quick_fp32, Activation::quick_gelu, DType::f32);
BENCHMARK_CAPTURE(gelu_backward, quick_bf16, Activation::quick_gelu, DType::bf16);
BENCHMARK_CAPTURE(convert, fp32_bf16, DType::f32, DType::bf16);
BENCHMARK_CAPTURE(convert, bf16_fp32, DType::bf16, DType::f32);
BENCHMARK_CAPTURE(convert, fp32_int8, DType::f32, DType::i8);
BENCHMARK_CAPTURE(convert, bf16_int8, DType::bf16, DType::i8);
BENCHMARK_CAPTURE(max_abs, fp32, DType::f32);
BENCHMARK_CAPTURE(max_abs, bf16, DType::bf16);
BENCHMARK_CAPTURE(column_sums, fp32, DType::f32);
BENCHMARK_CAPTURE(column_sums, bf16, DType::bf16);
BENCHMARK(sum_of_squares);
BENCHMARK_CAPTURE(dropout, fp32, DType::f32);
BENCHMARK_CAPTURE(dropout, bf16, DType::bf16);
BENCHMARK(adamw);

}  // namespace
