#include "vit/kernels/peak.h"

#include <gtest/gtest.h>

#include "vit/kernels/isa.h"

namespace vit {
namespace {

// No speed is asserted; only that a compiler which removes the loop is noticed (no core does 1e5 GF/s).
TEST(Peak, IsAFiniteSpeed) {
  for (const DType dtype : {DType::f32, DType::bf16, DType::i8}) {
    const double gflops = measured_peak_gflops(dtype);
    EXPECT_GT(gflops, 0);
    EXPECT_LT(gflops, 1e5);
  }
}

// Of 512 bits, four int8 or two bf16 stand in the place of a float.
TEST(Peak, NarrowTypesHaveTheirOwnWhereTheProcessorDoes) {
  if (kernel_isa() < Isa::avx512) GTEST_SKIP() << "needs AVX-512";
  float sink = 0;
  const double wide = run_multiply_adds(DType::f32, 1, &sink);
  EXPECT_EQ(run_multiply_adds(DType::bf16, 1, &sink), (avx512_bf16_runs() ? 2 : 1) * wide);
  EXPECT_EQ(run_multiply_adds(DType::i8, 1, &sink), (avx512_vnni_runs() ? 4 : 1) * wide);
}

}  // namespace
}  // namespace vit
