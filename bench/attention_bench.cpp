// Attention of one image and head, one thread: GF/s of the products alone, 4 N N K flops forward and 10 N N K
// backward, so the exponentials count as loss. Arguments: tokens, head size, heads of the qkv matrix.
#include <benchmark/benchmark.h>

#include <cmath>

#include "vit/core/buffer.h"
#include "vit/core/rng.h"
#include "vit/kernels/attention.h"

namespace {

using vit::AlignedBuffer;
using vit::BFloat16;
using vit::TensorView;

void set(float value, float& x) { x = value; }
void set(float value, BFloat16& x) { x = vit::to_bf16(value); }

template <class T>
AlignedBuffer<T> random_elements(int64_t count, uint64_t stream) {
  vit::RandomStream random(1, vit::RandomPurpose::test, stream);
  AlignedBuffer<T> m(count);
  for (T& x : m.span()) set(random.normal(), x);
  return m;
}

/// The last of `heads` heads of one image; the first `queries` of its tokens, 0 = all.
template <class T>
struct Problem {
  int64_t tokens, size, width, queries;
  AlignedBuffer<T> qkv, out, dout, dqkv;
  AlignedBuffer<float> log_sum_exp, scratch;
  vit::AttentionOptions options;

  explicit Problem(const benchmark::State& state, int64_t query_count = 0)
      : tokens(state.range(0)),
        size(state.range(1)),
        width(state.range(1) * state.range(2)),
        queries(query_count == 0 ? tokens : query_count),
        qkv(random_elements<T>(tokens * 3 * width, 1)),
        out(tokens * width),
        dout(random_elements<T>(tokens * width, 2)),
        dqkv(tokens * 3 * width),
        log_sum_exp(tokens),
        scratch(vit::attention_scratch(tokens, tokens, size, vit::dtype_of<T>)) {
    options.scale = 1 / std::sqrt(static_cast<float>(size));
  }

  TensorView<T> of(AlignedBuffer<T>& m, int64_t rows, int64_t third, int64_t thirds) {
    return TensorView<T>(m.data(), {tokens, thirds * width}).slice(0, rows).columns(third * width + width - size, size);
  }
  void forward() {
    vit::attention_forward(of(qkv, queries, 0, 3), of(qkv, tokens, 1, 3), of(qkv, tokens, 2, 3), options,
                           of(out, queries, 0, 1), log_sum_exp.data(), scratch.data());
  }
  void backward() {
    vit::attention_backward(of(dout, queries, 0, 1), of(qkv, queries, 0, 3), of(qkv, tokens, 1, 3),
                            of(qkv, tokens, 2, 3), of(out, queries, 0, 1), log_sum_exp.data(), options,
                            {of(dqkv, queries, 0, 3), of(dqkv, tokens, 1, 3), of(dqkv, tokens, 2, 3)}, scratch.data());
  }
  void report(benchmark::State& state, double products) const {
    const double flops = 2 * products * static_cast<double>(queries * tokens * size);
    state.counters["GF/s"] = benchmark::Counter(flops * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
  }
};

template <class T>
void Forward(benchmark::State& state) {
  Problem<T> problem(state);
  for (auto _ : state) problem.forward();
  problem.report(state, 2);
}

/// Only the class token's row.
template <class T>
void ForwardOneQuery(benchmark::State& state) {
  Problem<T> problem(state, 1);
  for (auto _ : state) problem.forward();
  problem.report(state, 2);
}

template <class T>
void ForwardDropout(benchmark::State& state) {
  Problem<T> problem(state);
  problem.options.dropout.rate = 0.1f;
  for (auto _ : state) problem.forward();
  problem.report(state, 2);
}

template <class T>
void Backward(benchmark::State& state) {
  Problem<T> problem(state);
  problem.forward();
  for (auto _ : state) problem.backward();
  problem.report(state, 5);
}

void shapes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"N", "K", "H"});
  bench->Args({26, 24, 2})->Args({26, 32, 2})->Args({50, 64, 12})->Args({65, 64, 3})->Args({197, 64, 3});
  bench->Args({197, 64, 12})->Args({577, 64, 12})->Args({1025, 64, 12})->Args({257, 80, 16});
}

BENCHMARK_TEMPLATE(Forward, float)->Apply(shapes);
BENCHMARK_TEMPLATE(Forward, BFloat16)->Apply(shapes);
BENCHMARK_TEMPLATE(Backward, float)->Apply(shapes);
BENCHMARK_TEMPLATE(Backward, BFloat16)->Apply(shapes);
BENCHMARK_TEMPLATE(ForwardOneQuery, float)->Args({197, 64, 3})->ArgNames({"N", "K", "H"});
BENCHMARK_TEMPLATE(ForwardOneQuery, BFloat16)->Args({197, 64, 3})->ArgNames({"N", "K", "H"});
BENCHMARK_TEMPLATE(ForwardDropout, float)->Args({65, 64, 3})->ArgNames({"N", "K", "H"});

}  // namespace
