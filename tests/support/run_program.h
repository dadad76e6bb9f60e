// Runs a program and hands back what it wrote and how it ended.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/temp_dir.h"

namespace vit::test {

struct ProgramResult {
  int exit_code = -1;  // 128 + signal when one ended it
  std::string out;
  std::string err;
};

inline std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

struct ProgramOptions {
  std::filesystem::path out;  // where standard output goes; empty = into the result
  uid_t user = 0;             // the user to run as; 0 = as the test
};

/// A program that runs beside the test; it is killed when the object goes before `wait`.
class RunningProgram {
 public:
  explicit RunningProgram(const std::vector<std::string>& command, const ProgramOptions& options = {})
      : out_(options.out.empty() ? files_ / "out" : options.out) {
    std::vector<char*> arguments;
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    const int out = ::open(out_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    const int err = ::open((files_ / "err").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    const int in = ::open("/dev/null", O_RDONLY);
    if (out < 0 || err < 0 || in < 0) throw std::runtime_error("cannot redirect " + command.front());
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error("cannot fork");
    if (pid_ == 0) {
      ::dup2(in, STDIN_FILENO);
      ::dup2(out, STDOUT_FILENO);
      ::dup2(err, STDERR_FILENO);
      if (options.user != 0 && (::setgid(options.user) != 0 || ::setuid(options.user) != 0)) ::_exit(126);
      ::execv(arguments[0], arguments.data());
      ::_exit(127);
    }
    for (const int file : {in, out, err}) ::close(file);
  }
  ~RunningProgram() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  RunningProgram(const RunningProgram&) = delete;
  RunningProgram& operator=(const RunningProgram&) = delete;

  void send(int signal) const { ::kill(pid_, signal); }
  std::string out_so_far() const { return text_of(out_); }
  bool runs() const {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
  }

  ProgramResult wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    ProgramResult result;
    result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (std::filesystem::is_regular_file(out_)) result.out = text_of(out_);
    result.err = text_of(files_ / "err");
    return result;
  }

 private:
  TempDir files_;
  std::filesystem::path out_;
  pid_t pid_ = -1;
};

inline ProgramResult run_program(const std::vector<std::string>& command, const ProgramOptions& options = {}) {
  return RunningProgram(command, options).wait();
}

/// The program of this project.
inline ProgramResult run_vit(const std::vector<std::string>& arguments, const ProgramOptions& options = {}) {
  std::vector<std::string> command{VIT_PROGRAM};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return run_program(command, options);
}

/// Passes when the program ended with the code; says what it wrote when not.
inline testing::AssertionResult ended_with(const ProgramResult& result, int exit_code) {
  if (result.exit_code == exit_code) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "exit code " << result.exit_code << ", wanted " << exit_code
                                     << "\nstdout: " << result.out << "\nstderr: " << result.err;
}

/// Passes when the program failed with the code and one line "vit: error: ..." that holds all the words.
inline testing::AssertionResult failed_with(const ProgramResult& result, int exit_code,
                                            const std::vector<std::string>& words) {
  testing::AssertionResult ended = ended_with(result, exit_code);
  if (!ended) return ended;
  const auto lines = std::count(result.err.begin(), result.err.end(), '\n');
  if (lines != 1 || !result.err.starts_with("vit: error: "))
    return testing::AssertionFailure() << "one line 'vit: error: ...' was wanted, stderr: " << result.err;
  for (const std::string& word : words)
    if (result.err.find(word) == std::string::npos)
      return testing::AssertionFailure() << "'" << word << "' is not in: " << result.err;
  return testing::AssertionSuccess();
}

}  // namespace vit::test
