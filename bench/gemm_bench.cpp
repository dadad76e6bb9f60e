// Products at the shapes of ViT-Tiny, one thread: GF/s, and as a fraction of the register-only peak measured at
// the start of the same run, of the type that is multiplied.
#include <benchmark/benchmark.h>

#include <cstdint>

#include "vit/core/buffer.h"
#include "vit/core/rng.h"
#include "vit/kernels/elementwise.h"
#include "vit/kernels/gemm.h"
#include "vit/kernels/peak.h"

namespace {

using vit::AlignedBuffer;
using vit::DType;
using vit::Matrix;
using vit::PackedWeight;
using vit::TensorView;

AlignedBuffer<float> random_buffer(int64_t count) {
  AlignedBuffer<float> buffer(count);
  vit::RandomStream stream(1, vit::RandomPurpose::test);
  for (float& v : buffer.span()) v = stream.uniform(-1, 1);
  return buffer;
}

/// Random numbers in `type`; int8 in its whole range.
struct Values {
  AlignedBuffer<float> wide;
  AlignedBuffer<std::byte> narrow;
  Matrix matrix;

  Values(DType type, int64_t rows, int64_t cols)
      : wide(random_buffer(rows * cols)),
        narrow(rows * cols * vit::dtype_bytes(type)),
        matrix(narrow.data(), type, rows, cols, cols) {
    vit::convert(TensorView<float>(wide.data(), {rows, cols}), matrix, type == DType::i8 ? 127.0f : 1.0f);
  }
};

/// x [M, I] and y [M, O] in the type of the products, w [O, I] in fp32.
struct Layer {
  int64_t m, o, i;
  DType type;
  Values x{type, m, i}, y{type, m, o};
  AlignedBuffer<float> w = random_buffer(o * i), b = random_buffer(o), sums{m * o};
  TensorView<float> weight() { return {w.data(), {o, i}}; }
  TensorView<float> fp32_result() { return {sums.data(), {m, o}}; }
};

template <class Body>
void run(benchmark::State& state, DType type, Body body) {
  const double peak = vit::measured_peak_gflops(type);
  Layer layer{state.range(0), state.range(1), state.range(2), type};
  body(layer, [&](auto&& product) {
    for (auto _ : state) product();
  });
  const double flops = 2.0 * static_cast<double>(layer.m) * static_cast<double>(layer.o) * static_cast<double>(layer.i);
  using benchmark::Counter;
  state.counters["GF/s"] = Counter(1e-9 * flops, Counter::kIsIterationInvariantRate);
  state.counters["of_peak"] = Counter(1e-9 * flops / peak, Counter::kIsIterationInvariantRate);
  state.counters["peak"] = peak;
}

void forward(benchmark::State& state, DType type) {
  run(state, type, [=](Layer& layer, auto repeat) {
    PackedWeight packed;
    packed.pack(layer.weight(), PackedWeight::Use::forward, {.type = type, .bias = layer.b.data()});
    const Matrix y = type == DType::bf16 ? layer.y.matrix : Matrix(layer.fp32_result());
    repeat([&] { packed.multiply(layer.x.matrix, y); });
  });
}

void backward_data(benchmark::State& state, DType type) {
  run(state, type, [=](Layer& layer, auto repeat) {
    PackedWeight packed;
    packed.pack(layer.weight(), PackedWeight::Use::backward_data, {.type = type});
    repeat([&] { packed.multiply(layer.y.matrix, layer.x.matrix); });
  });
}

void backward_weight(benchmark::State& state, DType type) {
  run(state, type, [](Layer& layer, auto repeat) {
    repeat(
        [&] { vit::gemm(layer.y.matrix, layer.x.matrix, layer.weight(), {.transpose_a = true, .accumulate = true}); });
  });
}

// The weight as it lies, not packed.
void forward_plain(benchmark::State& state) {
  run(state, DType::f32, [](Layer& layer, auto repeat) {
    repeat([&] { vit::gemm(layer.x.matrix, layer.weight(), layer.y.matrix, {.transpose_b = true}); });
  });
}

void pack(benchmark::State& state, DType type) {
  Layer layer{1, state.range(0), state.range(1), type};
  PackedWeight packed;
  for (auto _ : state) packed.pack(layer.weight(), PackedWeight::Use::forward, {.type = type});
}

void shapes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"M", "O", "I"});
  for (int64_t m : {1040, 3152, 8320})
    for (const auto& [o, i] : {std::pair{576, 192}, {192, 192}, {768, 192}, {192, 768}}) bench->Args({m, o, i});
  bench->Args({64, 10, 192})->Args({1024, 192, 48});
}

BENCHMARK_CAPTURE(forward, fp32, DType::f32)->Apply(shapes);
BENCHMARK_CAPTURE(forward, bf16, DType::bf16)->Apply(shapes);
BENCHMARK_CAPTURE(forward, int8, DType::i8)->Apply(shapes);
BENCHMARK_CAPTURE(backward_data, fp32, DType::f32)->Apply(shapes);
BENCHMARK_CAPTURE(backward_data, bf16, DType::bf16)->Apply(shapes);
BENCHMARK_CAPTURE(backward_weight, fp32, DType::f32)->Apply(shapes);
BENCHMARK_CAPTURE(backward_weight, bf16, DType::bf16)->Apply(shapes);
BENCHMARK(forward_plain)->Apply(shapes);
BENCHMARK_CAPTURE(pack, fp32, DType::f32)->Args({768, 192})->Args({192, 768});
BENCHMARK_CAPTURE(pack, bf16, DType::bf16)->Args({768, 192})->Args({192, 768});
BENCHMARK_CAPTURE(pack, int8, DType::i8)->Args({768, 192})->Args({192, 768});

}  // namespace
