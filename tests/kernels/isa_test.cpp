// Runs this whole program once more under each instruction set that the machine has.
#include "vit/kernels/isa.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "tests/support/run_again.h"
#include "vit/core/error.h"

namespace vit {
namespace {

using test::kChildVariable;
using test::run_again;

class IsaRun : public testing::TestWithParam<Isa> {};

TEST_P(IsaRun, EveryKernelPasses) {
  if (GetParam() > detected_isa()) GTEST_SKIP() << "this processor has no " << isa_name(GetParam());
  EXPECT_EQ(run_again(isa_name(GetParam()), "-*/IsaRun.*:Isa.*:IsaChild.WordIsRefused"), 0);
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

TEST(Cpu, TellsItsNameAndMemory) {
  EXPECT_FALSE(cpu_name().empty());
  EXPECT_GT(peak_resident_bytes(), 1 << 20);
  EXPECT_LE(active_isa(), detected_isa());
}

}  // namespace
}  // namespace vit
