#include "vit/kernels/peak.h"

#include <gtest/gtest.h>

namespace vit {
namespace {

// No speed is asserted; only that a compiler which removes the loop is noticed (no core does 1e5 GF/s).
TEST(Peak, IsAFiniteSpeed) {
  const double gflops = measured_peak_gflops();
  EXPECT_GT(gflops, 0);
  EXPECT_LT(gflops, 1e5);
}

}  // namespace
}  // namespace vit
