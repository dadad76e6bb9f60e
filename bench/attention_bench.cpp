// Attention of one image and head, one thread: GF/s of the products alone, 4 N N K flops forward and 10 N N K
// backward, so the exponentials count as loss. Arguments: tokens, head size, heads of the qkv matrix.
#include <benchmark/benchmark.h>

#include <cmath>

#include "vit/core/buffer.h"
#include "vit/core/rng.h"
#include "vit/kernels/attention.h"

namespace {

using vit::AlignedBuffer;
using vit::TensorView;

AlignedBuffer<float> random_floats(int64_t count, uint64_t stream) {
  vit::RandomStream random(1, vit::RandomPurpose::test, stream);
  AlignedBuffer<float> m(count);
  for (float& x : m.span()) x = random.normal();
  return m;
}

/// The last of `heads` heads of one image.
struct Problem {
  int64_t tokens, size, width;
  AlignedBuffer<float> qkv, out, dout, dqkv, log_sum_exp, scratch;
  vit::AttentionOptions options;

  explicit Problem(const benchmark::State& state)
      : tokens(state.range(0)),
        size(state.range(1)),
        width(state.range(1) * state.range(2)),
        qkv(random_floats(tokens * 3 * width, 1)),
        out(tokens * width),
        dout(random_floats(tokens * width, 2)),
        dqkv(tokens * 3 * width),
        log_sum_exp(tokens),
        scratch(vit::attention_scratch(tokens, tokens, size, vit::DType::f32)) {
    options.scale = 1 / std::sqrt(static_cast<float>(size));
  }

  TensorView<float> of(AlignedBuffer<float>& m, int64_t third, int64_t thirds) {
    return TensorView<float>(m.data(), {tokens, thirds * width}).columns(third * width + width - size, size);
  }
  void forward() {
    vit::attention_forward(of(qkv, 0, 3), of(qkv, 1, 3), of(qkv, 2, 3), options, of(out, 0, 1), log_sum_exp.data(),
                           scratch.data());
  }
  void backward() {
    vit::attention_backward(of(dout, 0, 1), of(qkv, 0, 3), of(qkv, 1, 3), of(qkv, 2, 3), of(out, 0, 1),
                            log_sum_exp.data(), options, {of(dqkv, 0, 3), of(dqkv, 1, 3), of(dqkv, 2, 3)},
                            scratch.data());
  }
  void report(benchmark::State& state, double products) const {
    const double flops = 2 * products * static_cast<double>(tokens * tokens * size);
    state.counters["GF/s"] = benchmark::Counter(flops * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
  }
};

void Forward(benchmark::State& state) {
  Problem problem(state);
  for (auto _ : state) problem.forward();
  problem.report(state, 2);
}

void ForwardDropout(benchmark::State& state) {
  Problem problem(state);
  problem.options.dropout.rate = 0.1f;
  for (auto _ : state) problem.forward();
  problem.report(state, 2);
}

void Backward(benchmark::State& state) {
  Problem problem(state);
  problem.forward();
  for (auto _ : state) problem.backward();
  problem.report(state, 5);
}

void shapes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"N", "K", "H"});
  bench->Args({26, 24, 2})->Args({26, 32, 2})->Args({50, 64, 12})->Args({65, 64, 3})->Args({197, 64, 3});
  bench->Args({197, 64, 12})->Args({577, 64, 12})->Args({1025, 64, 12})->Args({257, 80, 16});
}

BENCHMARK(Forward)->Apply(shapes);
BENCHMARK(Backward)->Apply(shapes);
BENCHMARK(ForwardDropout)->Args({65, 64, 3})->ArgNames({"N", "K", "H"});

}  // namespace
