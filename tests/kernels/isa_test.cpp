// Runs this whole program once more under each instruction set that the machine has.
#include "vit/kernels/isa.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>

#include "vit/core/error.h"

namespace vit {
namespace {

constexpr const char* kChildVariable = "VIT_TEST_EXPECTED_ISA";

// Exit status of this program with VIT_ISA = isa and the tests of `filter`. What it prints is shown when it fails
// only: ctest would take the word of a test that it skips for this one.
int run_again(const std::string& isa, const std::string& filter) {
  std::array<char, 4096> path{};
  if (readlink("/proc/self/exe", path.data(), path.size() - 1) < 0) return -1;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> output(std::tmpfile(), std::fclose);
  const pid_t child = fork();
  if (child == 0) {
    dup2(fileno(output.get()), STDOUT_FILENO);
    setenv("VIT_ISA", isa.c_str(), 1);
    setenv(kChildVariable, isa.c_str(), 1);
    unsetenv("GTEST_TOTAL_SHARDS");
    const std::string argument = "--gtest_filter=" + filter;
    execl(path.data(), path.data(), argument.c_str(), "--gtest_brief=1", nullptr);
    _exit(127);
  }
  int status = 0;
  waitpid(child, &status, 0);
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  std::rewind(output.get());
  for (int c = 0; code != 0 && (c = std::fgetc(output.get())) != EOF;) std::cerr.put(static_cast<char>(c));
  return code;
}

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
