// Products at the shapes of ViT-Tiny, one thread: GF/s, and as a fraction of the register-only peak of the same type,
// measured at the start of the same run. Results are fp32 from fp32 and bf16 from bf16 and int8.
#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "vit/core/buffer.h"
#include "vit/core/rng.h"
#include "vit/kernels/gemm.h"
#include "vit/kernels/peak.h"
#include "vit/kernels/weight_gradient.h"

namespace {

using vit::AlignedBuffer;
using vit::BFloat16;
using vit::DType;
using vit::Matrix;
using vit::PackedWeight;

void set(float value, float& x) { x = value; }
void set(float value, BFloat16& x) { x = vit::to_bf16(value); }
void set(float value, int8_t& x) { x = static_cast<int8_t>(127 * value); }

/// A matrix of noise of any element type; the noise repeats itself, to be quickly made.
class Noise {
 public:
  Noise(DType type, int64_t rows, int64_t cols)
      : bytes_(rows * cols * vit::dtype_bytes(type)), type_(type), rows_(rows), cols_(cols) {
    if (type == DType::f32) fill<float>();
    if (type == DType::bf16) fill<BFloat16>();
    if (type == DType::i8) fill<int8_t>();
  }
  Matrix matrix() { return {bytes_.data(), type_, rows_, cols_, cols_}; }
  vit::TensorView<float> floats() { return matrix().view<float>(); }

 private:
  template <class T>
  void fill() {
    constexpr int64_t kPeriod = 4099;
    vit::RandomStream stream(1, vit::RandomPurpose::test);
    T* const x = reinterpret_cast<T*>(bytes_.data());
    for (int64_t i = 0; i < rows_ * cols_; ++i) {
      if (i < kPeriod)
        set(stream.uniform(-1, 1), x[i]);
      else
        x[i] = x[i - kPeriod];
    }
  }

  AlignedBuffer<std::byte> bytes_;
  DType type_;
  int64_t rows_, cols_;
};

double peak_of(DType type) {
  static const double peaks[] = {vit::measured_peak_gflops(DType::f32), vit::measured_peak_gflops(DType::bf16),
                                 vit::measured_peak_gflops(DType::i8)};
  return peaks[static_cast<int>(type)];
}

DType result_type(DType type) { return type == DType::f32 ? DType::f32 : DType::bf16; }

// x [M, I], w [O, I], y [M, O].
struct Layer {
  Noise x, w, y, bias;
  Layer(DType x_type, DType w_type, DType y_type, int64_t m, int64_t o, int64_t i)
      : x(x_type, m, i), w(w_type, o, i), y(y_type, m, o), bias(DType::f32, 1, o) {}
};

template <class Product>
void run(benchmark::State& state, DType type, Product product) {
  const double peak = peak_of(type);
  for (auto _ : state) product();
  const double flops = 2.0 * static_cast<double>(state.range(0)) * static_cast<double>(state.range(1) * state.range(2));
  using benchmark::Counter;
  state.counters["GF/s"] = Counter(1e-9 * flops, Counter::kIsIterationInvariantRate);
  state.counters["of_peak"] = Counter(1e-9 * flops / peak, Counter::kIsIterationInvariantRate);
  state.counters["peak"] = peak;
}

void forward(benchmark::State& state, DType type) {
  Layer layer(type, DType::f32, result_type(type), state.range(0), state.range(1), state.range(2));
  PackedWeight packed;
  packed.pack(layer.w.floats(), PackedWeight::Use::forward, {.type = type, .bias = layer.bias.floats().data()});
  run(state, type, [&] { packed.multiply(layer.x.matrix(), layer.y.matrix()); });
}

void backward_data(benchmark::State& state, DType type) {
  Layer layer(result_type(type), DType::f32, type, state.range(0), state.range(1), state.range(2));
  PackedWeight packed;
  packed.pack(layer.w.floats(), PackedWeight::Use::backward_data, {.type = type});
  run(state, type, [&] { packed.multiply(layer.y.matrix(), layer.x.matrix()); });
}

void backward_weight(benchmark::State& state, DType type) {
  Layer layer(type, DType::f32, type, state.range(0), state.range(1), state.range(2));
  run(state, type, [&] {
    vit::add_weight_gradient(layer.y.matrix(), layer.x.matrix(), layer.w.floats(), layer.bias.floats().data());
  });
}

// The weight as it lies, not packed.
void forward_plain(benchmark::State& state) {
  Layer layer(DType::f32, DType::f32, DType::f32, state.range(0), state.range(1), state.range(2));
  run(state, DType::f32,
      [&] { vit::gemm(layer.x.matrix(), layer.w.matrix(), layer.y.matrix(), {.transpose_b = true}); });
}

void pack(benchmark::State& state, DType type) {
  Noise weight(DType::f32, state.range(0), state.range(1));
  PackedWeight packed;
  for (auto _ : state) packed.pack(weight.floats(), PackedWeight::Use::forward, {.type = type});
}

void layer_shapes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"M", "O", "I"});
  for (const int64_t m : {1040, 3152, 8320})
    for (const auto& [o, i] : {std::pair{576, 192}, {192, 192}, {768, 192}, {192, 768}}) bench->Args({m, o, i});
}

void all_shapes(benchmark::internal::Benchmark* bench) {
  layer_shapes(bench);
  bench->Args({64, 10, 192})->Args({1024, 192, 48});
}

BENCHMARK_CAPTURE(forward, fp32, DType::f32)->Apply(all_shapes);
BENCHMARK_CAPTURE(forward, bf16, DType::bf16)->Apply(all_shapes);
BENCHMARK_CAPTURE(forward, int8, DType::i8)->Apply(layer_shapes);
BENCHMARK_CAPTURE(backward_data, fp32, DType::f32)->Apply(all_shapes);
BENCHMARK_CAPTURE(backward_data, bf16, DType::bf16)->Apply(all_shapes);
BENCHMARK_CAPTURE(backward_weight, fp32, DType::f32)->Apply(all_shapes);
BENCHMARK_CAPTURE(backward_weight, bf16, DType::bf16)->Apply(all_shapes);
BENCHMARK(forward_plain)->Apply(all_shapes);
BENCHMARK_CAPTURE(pack, fp32, DType::f32)->Args({768, 192})->Args({192, 768})->ArgNames({"O", "I"});
BENCHMARK_CAPTURE(pack, bf16, DType::bf16)->Args({768, 192})->Args({192, 768})->ArgNames({"O", "I"});

}  // namespace
