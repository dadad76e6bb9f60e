// Runs this test program once more under another instruction set, which a process chooses once.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>

namespace vit::test {

/// Set to the instruction set in the second run only.
inline constexpr const char* kChildVariable = "VIT_TEST_EXPECTED_ISA";

/// Exit status of this program with VIT_ISA = isa and the tests of `filter`. What it prints is shown when it fails
/// only: ctest would take the word of a test that it skips for this one.
inline int run_again(const std::string& isa, const std::string& filter) {
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

}  // namespace vit::test
