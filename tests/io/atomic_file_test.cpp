#include "vit/io/atomic_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/temp_dir.h"
#include "vit/core/error.h"

namespace vit {
namespace {

namespace fs = std::filesystem;
using test::TempDir;

constexpr int64_t kPlenty = 1 << 20;

std::vector<std::string> files_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename().string());
  return names;
}

template <class Action>
std::string error_of(const Action& action, ErrorKind kind) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

TEST(AtomicFile, WritesAndReplaces) {
  const TempDir dir;
  const std::string contents("a\0b\nc", 5);
  write_file_atomically(dir / "f", "old");
  write_file_atomically(dir / "f", contents);
  EXPECT_EQ(read_file(dir / "f", kPlenty), contents);
  EXPECT_EQ(files_in(dir.path()), std::vector<std::string>{"f"});
}

TEST(AtomicFile, TemporaryFileLiesBesideTheTarget) {
  const TempDir dir;
  fs::path temporary;
  write_atomically(dir / "f", [&](const fs::path& path) {
    temporary = path;
    EXPECT_FALSE(fs::exists(dir / "f"));
    std::ofstream(path) << "x";
  });
  EXPECT_EQ(temporary.parent_path(), dir.path());
  EXPECT_EQ(temporary.filename().string().rfind(".f.tmp-", 0), 0u) << temporary;
  EXPECT_FALSE(fs::exists(temporary));
}

TEST(AtomicFile, FailureLeavesTheOldFileAndNoOther) {
  const TempDir dir;
  write_file_atomically(dir / "f", "old");
  EXPECT_THROW(write_atomically(dir / "f",
                                [](const fs::path& path) {
                                  std::ofstream(path) << "half";
                                  throw std::runtime_error("stop");
                                }),
               std::runtime_error);
  EXPECT_EQ(read_file(dir / "f", kPlenty), "old");
  EXPECT_EQ(files_in(dir.path()), std::vector<std::string>{"f"});
}

TEST(AtomicFile, FailsWhenNothingWasWritten) {
  const TempDir dir;
  error_of([&] { write_atomically(dir / "f", [](const fs::path&) {}); }, ErrorKind::io);
  EXPECT_TRUE(files_in(dir.path()).empty());
}

TEST(AtomicFile, NewFilesFollowTheUmaskAndReplacedOnesKeepTheirPermissions) {
  const TempDir dir;
  const mode_t before = umask(027);
  write_file_atomically(dir / "f", "x");
  umask(before);
  EXPECT_EQ(fs::status(dir / "f").permissions(), fs::perms(0640));
  fs::permissions(dir / "f", fs::perms(0604));
  write_file_atomically(dir / "f", "y");
  EXPECT_EQ(fs::status(dir / "f").permissions(), fs::perms(0604));
}

TEST(AtomicFile, WritesThroughLinksAndToDevices) {
  const TempDir dir;
  write_file_atomically(dir / "f", "old");
  fs::create_symlink("f", dir / "link");
  write_file_atomically(dir / "link", "new");
  EXPECT_TRUE(fs::is_symlink(dir / "link"));
  EXPECT_EQ(read_file(dir / "f", kPlenty), "new");
  write_file_atomically("/dev/null", "x");
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  error_of([] { write_atomically("/dev/null", [](const fs::path&) {}); }, ErrorKind::io);
}

TEST(AtomicFile, TakesTheLongestNames) {
  const TempDir dir;
  const std::string name(255, 'n');
  write_file_atomically(dir / name, "x");
  EXPECT_EQ(read_file(dir / name, kPlenty), "x");
}

TEST(AtomicFile, ErrorsNameThePathAndTheReason) {
  const TempDir dir;
  const std::string missing = (dir / "no" / "f").string();
  EXPECT_EQ(error_of([&] { write_file_atomically(missing, "x"); }, ErrorKind::io),
            "[file] cannot write " + missing + ": there is no folder " + (dir / "no").string());
  EXPECT_EQ(error_of([&] { write_file_atomically(dir.path(), "x"); }, ErrorKind::io),
            "[file] cannot write " + dir.path().string() + ": it is a folder");
  EXPECT_EQ(error_of([&] { read_file(missing, kPlenty); }, ErrorKind::io),
            "[file] cannot open " + missing + ": No such file or directory");
  EXPECT_EQ(error_of([&] { read_file(dir.path(), kPlenty); }, ErrorKind::io),
            "[file] cannot read " + dir.path().string() + ": it is a folder");
}

TEST(AtomicFile, ReadsNoMoreThanAllowed) {
  const TempDir dir;
  write_file_atomically(dir / "f", "12345");
  EXPECT_EQ(read_file(dir / "f", 5), "12345");
  EXPECT_EQ(error_of([&] { read_file(dir / "f", 4); }, ErrorKind::data),
            "[file] " + (dir / "f").string() + " has 5 bytes, at most 4 are read");
  error_of([] { read_file("/dev/zero", 100'000); }, ErrorKind::data);  // has no size, and no end
  write_file_atomically(dir / "empty", "");
  EXPECT_EQ(read_file(dir / "empty", 0), "");
}

TEST(AtomicFile, NewContentOfAPrivateFileIsPrivateFromTheStart) {
  const TempDir dir;
  const mode_t before = umask(022);
  write_file_atomically(dir / "private", "old");
  fs::permissions(dir / "private", fs::perms(0600));
  write_atomically(dir / "private", [](const fs::path& path) {
    EXPECT_EQ(fs::status(path).permissions(), fs::perms(0600));
    std::ofstream(path) << "new";
    EXPECT_EQ(fs::status(path).permissions(), fs::perms(0600));
  });
  write_file_atomically(dir / "read-only", "old");
  fs::permissions(dir / "read-only", fs::perms(0440));
  write_atomically(dir / "read-only", [](const fs::path& path) {
    EXPECT_EQ(fs::status(path).permissions(), fs::perms(0640));  // its owner writes
    std::ofstream(path) << "new";
  });
  EXPECT_EQ(fs::status(dir / "read-only").permissions(), fs::perms(0440));
  umask(before);
}

TEST(AtomicFile, TemporaryNamesFitShortNamesAndCutNoLetter) {
  const TempDir dir;
  std::string name(99, 'n');
  for (int i = 0; i < 20; ++i) name += "\xc3\xa9";
  write_atomically(dir / name, [](const fs::path& path) {
    const std::string temporary = path.filename().string();
    EXPECT_LE(temporary.size(), 139u);
    EXPECT_EQ(temporary.rfind("." + std::string(99, 'n') + ".tmp-", 0), 0u) << temporary;
    std::ofstream(path) << "x";
  });
}

TEST(AtomicFile, GoesPastWhatAKilledProcessLeft) {
  const TempDir dir;
  std::string first;
  write_atomically(dir / "f", [&](const fs::path& path) {
    first = path.filename().string();
    std::ofstream(path) << "x";
  });
  const size_t dash = first.rfind('-') + 1;
  const fs::path next = dir / (first.substr(0, dash) + std::to_string(std::stoi(first.substr(dash)) + 1));
  std::ofstream(next) << "left";
  write_file_atomically(dir / "f", "y");
  EXPECT_EQ(read_file(dir / "f", kPlenty), "y");
  EXPECT_EQ(read_file(next, kPlenty), "left");
}

TEST(CutName, EndsWithAWholeLetter) {
  EXPECT_EQ(cut_name("abc", 3), "abc");
  EXPECT_EQ(cut_name("abcd", 3), "abc");
  EXPECT_EQ(cut_name("ab\xc3\xa9", 4), "ab\xc3\xa9");
  EXPECT_EQ(cut_name("ab\xc3\xa9", 3), "ab");
  EXPECT_EQ(cut_name("\xf0\x9f\x90\x88", 3), "");
  EXPECT_EQ(cut_name("abc\xff\xff", 4), "abc\xff");
}

}  // namespace
}  // namespace vit
