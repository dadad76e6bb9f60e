// Products at the shapes of ViT-Tiny, one thread: GF/s, and as a fraction of the register-only peak measured at
// the start of the same run.
#include <benchmark/benchmark.h>

#include <cstdint>

#include "vit/core/buffer.h"
#include "vit/core/rng.h"
#include "vit/kernels/gemm.h"
#include "vit/kernels/peak.h"

namespace {

using vit::Activation;
using vit::AlignedBuffer;
using vit::PackedWeight;
using vit::TensorView;

AlignedBuffer<float> random_buffer(int64_t count) {
  AlignedBuffer<float> buffer(count);
  vit::RandomStream stream(1, vit::RandomPurpose::test);
  for (float& v : buffer.span()) v = stream.uniform(-1, 1);
  return buffer;
}

// x [M, I], w [O, I], y [M, O].
struct Layer {
  int64_t m, o, i;
  AlignedBuffer<float> x = random_buffer(m * i), w = random_buffer(o * i), y = random_buffer(m * o),
                       b = random_buffer(o);
  TensorView<float> x_view() { return {x.data(), {m, i}}; }
  TensorView<float> w_view() { return {w.data(), {o, i}}; }
  TensorView<float> y_view() { return {y.data(), {m, o}}; }
};

template <class Body>
void run(benchmark::State& state, Body body) {
  static const double peak = vit::measured_peak_gflops();
  Layer layer{state.range(0), state.range(1), state.range(2)};
  body(layer, [&](auto&& product) {
    for (auto _ : state) product();
  });
  const double flops = 2.0 * static_cast<double>(layer.m) * static_cast<double>(layer.o) * static_cast<double>(layer.i);
  using benchmark::Counter;
  state.counters["GF/s"] = Counter(1e-9 * flops, Counter::kIsIterationInvariantRate);
  state.counters["of_peak"] = Counter(1e-9 * flops / peak, Counter::kIsIterationInvariantRate);
  state.counters["peak"] = peak;
}

void forward(benchmark::State& state, Activation activation) {
  run(state, [=](Layer& layer, auto repeat) {
    PackedWeight packed;
    packed.pack(layer.w_view(), PackedWeight::Use::forward);
    repeat(
        [&] { packed.multiply(layer.x_view(), layer.y_view(), {.bias = layer.b.data(), .activation = activation}); });
  });
}

void backward_data(benchmark::State& state) {
  run(state, [](Layer& layer, auto repeat) {
    PackedWeight packed;
    packed.pack(layer.w_view(), PackedWeight::Use::backward_data);
    repeat([&] { packed.multiply(layer.y_view(), layer.x_view()); });
  });
}

void backward_weight(benchmark::State& state) {
  run(state, [](Layer& layer, auto repeat) {
    repeat([&] {
      vit::gemm(layer.y_view(), layer.x_view(), layer.w_view(),
                {.transpose_a = true, .epilogue = {.accumulate = true}});
    });
  });
}

// The weight as it lies, not packed.
void forward_plain(benchmark::State& state) {
  run(state, [](Layer& layer, auto repeat) {
    repeat([&] { vit::gemm(layer.x_view(), layer.w_view(), layer.y_view(), {.transpose_b = true}); });
  });
}

void pack(benchmark::State& state) {
  const Layer layer{1, state.range(0), state.range(1)};
  PackedWeight packed;
  for (auto _ : state) packed.pack({layer.w.data(), {layer.o, layer.i}}, PackedWeight::Use::forward);
}

void shapes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"M", "O", "I"});
  for (int64_t m : {1040, 3152, 8320})
    for (const auto& [o, i] : {std::pair{576, 192}, {192, 192}, {768, 192}, {192, 768}}) bench->Args({m, o, i});
  bench->Args({64, 10, 192})->Args({1024, 192, 48});
}

BENCHMARK_CAPTURE(forward, bias, Activation::none)->Apply(shapes);
BENCHMARK_CAPTURE(forward, gelu_erf, Activation::gelu_erf)->Args({1040, 768, 192})->Args({8320, 768, 192});
BENCHMARK(backward_data)->Apply(shapes);
BENCHMARK(backward_weight)->Apply(shapes);
BENCHMARK(forward_plain)->Apply(shapes);
BENCHMARK(pack)->Args({768, 192})->Args({192, 768});

}  // namespace
