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
#include "vit/kernels/softmax_loss.h"

namespace {

using vit::Activation;
using vit::AlignedBuffer;
using vit::TensorView;

constexpr int64_t kRows = 260, kCols = 192, kCount = kRows * kCols;

struct Data {
  AlignedBuffer<float> x{kCount}, y{kCount}, z{kCount}, w{kCount}, row{kCols}, other_row{kCols}, mean{kRows},
      rstd{kRows};
  Data() {
    vit::RandomStream stream(1, vit::RandomPurpose::test);
    for (AlignedBuffer<float>* b : {&x, &y, &row, &other_row, &mean})
      for (float& v : b->span()) v = stream.normal();
    for (float& v : rstd.span()) v = 1;
  }
  static TensorView<float> matrix(AlignedBuffer<float>& b) { return {b.data(), {kRows, kCols}}; }
};

template <class Body>
void run(benchmark::State& state, Body body) {
  Data data;
  for (auto _ : state) {
    body(data);
    benchmark::ClobberMemory();
  }
  using benchmark::Counter;
  state.counters["per_element"] = Counter(kCount, Counter::kIsIterationInvariantRate | Counter::kInvert);
}

void layernorm_forward(benchmark::State& state) {
  run(state, [](Data& d) {
    vit::layernorm_forward(d.matrix(d.x), d.row.data(), d.other_row.data(), 1e-6f, d.matrix(d.y), d.mean.data(),
                           d.rstd.data());
  });
}

void layernorm_backward(benchmark::State& state) {
  run(state, [](Data& d) {
    vit::layernorm_backward(d.matrix(d.y), d.matrix(d.x), d.mean.data(), d.rstd.data(), d.row.data(), d.matrix(d.y),
                            d.matrix(d.z), d.row.data(), d.other_row.data());
  });
}

void gelu_forward(benchmark::State& state, Activation kind) {
  run(state, [=](Data& d) { vit::gelu_forward(d.matrix(d.x), kind, d.matrix(d.y)); });
}

void gelu_backward(benchmark::State& state, Activation kind) {
  run(state, [=](Data& d) { vit::gelu_backward(d.matrix(d.y), d.matrix(d.x), kind, d.matrix(d.z)); });
}

void softmax(benchmark::State& state) {
  run(state, [](Data& d) { vit::softmax_forward(d.matrix(d.x), d.matrix(d.y)); });
}

void column_sums(benchmark::State& state) {
  run(state, [](Data& d) { vit::add_column_sums(d.matrix(d.x), d.row.data()); });
}

void sum_of_squares(benchmark::State& state) {
  run(state, [](Data& d) { benchmark::DoNotOptimize(vit::sum_of_squares(d.x.data(), kCount)); });
}

void dropout(benchmark::State& state) {
  run(state, [](Data& d) { vit::dropout(d.matrix(d.x), {.rate = 0.1f}, 0, d.matrix(d.y)); });
}

void adamw(benchmark::State& state) {
  run(state, [](Data& d) { vit::adamw_update({}, d.x.data(), kCount, d.y.data(), d.z.data(), d.w.data()); });
}

BENCHMARK(layernorm_forward);
BENCHMARK(layernorm_backward);
BENCHMARK_CAPTURE(gelu_forward, erf, Activation::gelu_erf);
BENCHMARK_CAPTURE(gelu_forward, tanh, Activation::gelu_tanh);
BENCHMARK_CAPTURE(gelu_backward, erf, Activation::gelu_erf);
BENCHMARK_CAPTURE(gelu_backward, tanh, Activation::gelu_tanh);
BENCHMARK(softmax);
BENCHMARK(column_sums);
BENCHMARK(sum_of_squares);
BENCHMARK(dropout);
BENCHMARK(adamw);

}  // namespace
