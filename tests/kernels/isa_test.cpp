// Runs this whole program once more under each instruction set that the machine has.
#include "vit/kernels/isa.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "tests/support/products_up_to.h"
#include "tests/support/run_again.h"
#include "vit/core/error.h"
#include "vit/kernels/product_fault.h"

namespace vit {
namespace {

using test::kChildVariable;
using test::run_again;

class IsaRun : public testing::TestWithParam<Isa> {};

TEST_P(IsaRun, EveryKernelPasses) {
  if (GetParam() > detected_isa()) GTEST_SKIP() << "this processor has no " << isa_name(GetParam());
  EXPECT_EQ(run_again(isa_name(GetParam()), "-*/IsaRun.*:Isa.*:IsaChild.WordIsRefused:IsaChild.Int8IsAFault"), 0);
}

INSTANTIATE_TEST_SUITE_P(Isa, IsaRun, testing::Values(Isa::baseline, Isa::avx2, Isa::avx512, Isa::avx512_bf16),
                         [](const auto& p) { return isa_name(p.param); });

TEST(IsaChild, RunsTheForcedIsa) {
  const char* forced = std::getenv(kChildVariable);
  if (forced == nullptr) GTEST_SKIP() << "run by IsaRun";
  const bool bf16 = std::string(forced) == "avx512_bf16";
  EXPECT_EQ(isa_name(active_isa()), forced);
  EXPECT_EQ(isa_name(product_isa()), forced);
  EXPECT_EQ(isa_name(kernel_isa()), bf16 ? "avx512" : forced);
}

TEST(Isa, UnknownWordIsAUsageError) {
  if (std::getenv(kChildVariable) != nullptr) GTEST_SKIP() << "run by the parent only";
  EXPECT_EQ(run_again("sse9", "IsaChild.WordIsRefused"), 0);
}

TEST(IsaChild, WordIsRefused) {
  const char* forced = std::getenv(kChildVariable);
  if (forced == nullptr || std::string(forced) != "sse9") GTEST_SKIP() << "run by Isa.UnknownWordIsAUsageError";
  try {
    kernel_isa();
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_NE(std::string(error.what()).find("sse9"), std::string::npos);
  }
}

/// The product library without VNNI would add int8 products in 16 bits: that is seen, and never used.
TEST(Isa, Int8WithoutVnniIsAFault) {
  if (detected_isa() < Isa::avx512) GTEST_SKIP() << "needs AVX-512";
  const test::ProductsUpTo limit("AVX512_CORE");
  EXPECT_EQ(run_again(isa_name(detected_isa()), "IsaChild.Int8IsAFault"), 0);
}

TEST(IsaChild, Int8IsAFault) {
  if (!test::ProductsUpTo::limited()) GTEST_SKIP() << "run by Isa.Int8WithoutVnniIsAFault";
  EXPECT_NE(product_fault(DType::i8), "");
}

TEST(Isa, TheBestOfThisProcessorHasBf16) {
  if (product_isa() < Isa::avx512_bf16) GTEST_SKIP() << "needs AVX512_BF16";
  EXPECT_EQ(product_fault(DType::bf16), "");
  EXPECT_EQ(product_fault(DType::f32), "");
}

TEST(Cpu, TellsItsNameAndMemory) {
  EXPECT_FALSE(cpu_name().empty());
  EXPECT_GT(peak_resident_bytes(), 1 << 20);
  EXPECT_LE(active_isa(), detected_isa());
}

}  // namespace
}  // namespace vit
