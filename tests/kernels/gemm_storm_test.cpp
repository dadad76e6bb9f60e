// Products on threads of the program's own, outside of vit/core/parallel.h, under signals with handlers.
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "tests/support/guarded_matrix.h"
#include "tests/support/signal_storm.h"
#include "tests/support/tolerance.h"
#include "vit/kernels/gemm.h"

namespace vit {
namespace {

using test::expect_close;
using test::GuardedMatrix;
using test::kExact;
using test::SignalStorm;

TEST(GemmStorm, ProductsOfOwnThreadsKeepTheirBits) {
  const auto dy = GuardedMatrix::random(768, 64, 0, 1), x = GuardedMatrix::random(768, 192, 0, 2);
  const auto weight = GuardedMatrix::random(192, 192, 0, 3);
  PackedWeight packed;
  packed.pack(weight.view(), PackedWeight::Use::forward, {});
  GuardedMatrix dw(64, 192), y(768, 192);
  gemm(dy.view(), x.view(), dw.view(), {.transpose_a = true});
  packed.multiply(x.view(), y.view());

  const SignalStorm storm;
  const auto repeat = [&] {
    while (SignalStorm::handled() < 2000) {
      GuardedMatrix again(64, 192), y_again(768, 192);
      gemm(dy.view(), x.view(), again.view(), {.transpose_a = true});
      packed.multiply(x.view(), y_again.view());
      expect_close(again.values(), dw.values(), kExact);
      expect_close(y_again.values(), y.values(), kExact);
    }
  };
  std::vector<std::jthread> threads;
  for (int i = 0; i < 2; ++i) threads.emplace_back(repeat);
  repeat();
}

}  // namespace
}  // namespace vit
