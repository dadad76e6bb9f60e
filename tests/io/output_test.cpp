#include "vit/io/output.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/support/caught_error.h"
#include "tests/support/temp_dir.h"

namespace vit {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using test::holds;
using test::TempDir;

void put(const fs::path& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

std::string contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

bool is_png(const fs::path& path) { return path.extension() == ".png"; }

std::string refused(const std::vector<Output>& outputs, const std::vector<fs::path>& inputs = {}, bool force = false) {
  return error_of(ErrorKind::usage, [&] { check_outputs(outputs, inputs, is_png, force); });
}

/// Standard output is the file while this lives.
class Redirected {
 public:
  explicit Redirected(const fs::path& path) : before_(::dup(STDOUT_FILENO)) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(file, STDOUT_FILENO);
    ::close(file);
  }
  ~Redirected() {
    ::dup2(before_, STDOUT_FILENO);
    ::close(before_);
  }

 private:
  int before_;
};

TEST(CheckOutputs, FilesWithContentNeedForce) {
  const TempDir dir;
  put(dir / "there", "x");
  put(dir / "empty", "");
  check_outputs({{dir / "new"}, {dir / "empty"}, {dir / "folder/to/make", OutputKind::in_folder}}, {}, false);
  EXPECT_TRUE(holds(refused({{dir / "new"}, {dir / "there"}}), {"/there exists already; --force replaces it"}));
  fs::create_symlink("there", dir / "link");
  EXPECT_TRUE(holds(refused({{dir / "link"}}), {"/link exists already"}));
  check_outputs({{dir / "there"}, {dir / "new"}}, {}, true);
  check_outputs({{dir / "link", OutputKind::file}}, {}, true);
}

TEST(CheckOutputs, WhatIsReadIsNeverReplaced) {
  const TempDir dir;
  fs::create_directories(dir / "data/cat");
  put(dir / "data/cat/a.png", "x");
  put(dir / "model", "x");
  fs::create_symlink("model", dir / "symbolic");
  fs::create_hard_link(dir / "model", dir / "hard");
  fs::create_hard_link(dir / "data/cat/a.png", dir / "a.png");
  fs::create_directory_symlink(dir.path(), dir / "data/loop");
  for (const bool force : {false, true}) {
    for (const char* name : {"model", "symbolic", "hard", "data/../model"})
      EXPECT_TRUE(holds(refused({{dir / name}}, {dir / "model"}, force), {"the same command reads it"}));
    for (const char* name : {"data/cat/a.png", "a.png"})
      EXPECT_TRUE(holds(refused({{dir / name}}, {dir / "model", dir / "data"}, force), {"the same command reads it"}));
  }
  check_outputs({{dir / "data/cat/b.png"}}, {dir / "data"}, is_png, false);
  put(dir / "data/result.json", "x");
  check_outputs({{dir / "data/result.json"}}, {dir / "data"}, is_png, true);
}

TEST(CheckOutputs, TwoOutputsAreTwo) {
  const TempDir dir;
  fs::create_directories(dir / "folder");
  for (const std::vector<Output>& pair :
       {std::vector<Output>{{dir / "a"}, {dir / "folder/../a"}}, std::vector<Output>{{"-"}, {"/dev/stdout"}}})
    EXPECT_TRUE(holds(refused(pair, {}, true), {"another output"}));
  check_outputs({{"/dev/null"}, {"/dev/null"}}, {}, false);
}

TEST(CheckOutputs, OnlyTextGoesToPipesAndDevices) {
  const TempDir dir;
  ASSERT_EQ(::mkfifo((dir / "pipe").c_str(), 0600), 0);
  for (const fs::path& path : {fs::path("-"), fs::path("/dev/stdout"), fs::path("/dev/null"), dir / "pipe"}) {
    check_outputs({{path}}, {}, false);
    EXPECT_TRUE(holds(refused({{path, OutputKind::file}}, {}, true), {"needs a regular file or a new one"}));
  }
}

TEST(CheckOutputs, FindsFaultsOfFoldersEarly) {
  const TempDir dir;
  put(dir / "file", "x");
  EXPECT_TRUE(holds(refused({{dir.path()}}), {"it is a folder"}));
  EXPECT_TRUE(holds(refused({{""}}), {"names no file"}));
  const auto failed = [&](const Output& output) {
    return error_of(ErrorKind::io, [&] { check_outputs({output}, {}, true); });
  };
  EXPECT_TRUE(holds(failed({dir / "no/f"}), {"there is no folder", "/no"}));
  EXPECT_TRUE(holds(failed({dir / "file/f", OutputKind::in_folder}), {"there is no folder", "/file"}));
  EXPECT_TRUE(holds(failed({dir / std::string(256, 'n')}), {"File name too long"}));
  if (::geteuid() == 0) return;  // who may write everywhere
  fs::permissions(dir.path(), fs::perms(0500));
  EXPECT_TRUE(holds(failed({dir / "f"}), {"Permission denied"}));
  fs::permissions(dir.path(), fs::perms(0700));
}

TEST(WriteOutput, ReplacesRegularFilesWhole) {
  const TempDir dir;
  put(dir / "f", "old");
  error_of(ErrorKind::data, [&] {
    write_output(dir / "f", [](std::ostream& out) {
      out << std::string(1 << 20, 'x');
      fail(ErrorKind::data, "stop");
    });
  });
  EXPECT_EQ(contents(dir / "f"), "old");
  write_output(dir / "f", [](std::ostream& out) { out << "new" << 1; });
  EXPECT_EQ(contents(dir / "f"), "new1");
}

TEST(WriteOutput, GoesOnWhereStandardOutputIs) {
  const TempDir dir;
  put(dir / "f", "before\n");
  {
    const Redirected redirected(dir / "f");
    for (const fs::path& path : {fs::path("-"), fs::path("/dev/stdout"), fs::path("/proc/self/fd/1"), dir / "f"}) {
      EXPECT_TRUE(is_standard_output(path)) << path;
      check_outputs({{path}}, {}, false);
      write_output(path, "text\n");
    }
  }
  EXPECT_EQ(contents(dir / "f"), "before\ntext\ntext\ntext\ntext\n");
  EXPECT_FALSE(is_standard_output(dir / "f"));
}

TEST(WriteOutput, WritesIntoPipes) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const fs::path name = "/dev/fd/" + std::to_string(ends[1]);  // as <(...) and >(...) of a shell name them
  check_outputs({{name}}, {}, false);
  write_output(name, "text");
  std::array<char, 8> read{};
  EXPECT_EQ(::read(ends[0], read.data(), read.size()), 4);
  EXPECT_STREQ(read.data(), "text");
  ::close(ends[0]);
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  EXPECT_THROW(write_output(name, "text"), BrokenPipe);
  std::signal(SIGPIPE, before);
  ::close(ends[1]);
}

TEST(WriteOutput, TellsThatADiskIsFull) {
  const std::string error = error_of(ErrorKind::io, [] {
    write_output("/dev/full", [](std::ostream& out) {
      for (int i = 0; i < 1'000'000; ++i) out << "line\n";
      ADD_FAILURE() << "the first full buffer must end it";
    });
  });
  EXPECT_TRUE(holds(error, {"/dev/full", "No space left on device"}));
}

}  // namespace
}  // namespace vit
