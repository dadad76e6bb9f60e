// A file that cannot grow: by a limit on file sizes, and on a file system that is full.
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <string>
#include <vector>

#include "tests/support/temp_dir.h"
#include "vit/core/error.h"
#include "vit/io/atomic_file.h"
#include "vit/io/hdf5.h"

namespace vit::h5 {
namespace {

namespace fs = std::filesystem;
using test::TempDir;

/// Writes beyond the limit fail with EFBIG while this lives.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    old_handler_ = std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old_limit_);
    const rlimit limit{bytes, old_limit_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &old_limit_);
    std::signal(SIGXFSZ, old_handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit old_limit_{};
  void (*old_handler_)(int) = nullptr;
};

void write_growing(const fs::path& path, int rows) {
  File file = File::create(path);
  const std::vector<uint8_t> row(100'000, 7);
  file.create_growing("/train/images", {100'000}, 10);
  for (int i = 0; i < rows; ++i) file.append_rows("/train/images", 1, row);
  file.write_text("/config", "{}");
  file.close();
}

void write_small(const fs::path& path) {
  File file = File::create(path);
  const std::vector<float> values(1000, 1.0f);
  file.write("/x", {1000}, std::span(values));
  file.close();
}

/// The write fails with this reason, whatever was there stays, and the library is as good as new afterwards.
void expect_clean_failure(const fs::path& folder, void (*write)(const fs::path&), int reason) {
  const fs::path path = folder / "data.h5";
  try {
    write_atomically(path, write);
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::io);
    EXPECT_NE(std::string(error.what()).find(std::strerror(reason)), std::string::npos) << error.what();
  }
  EXPECT_FALSE(fs::exists(path));
  EXPECT_TRUE(fs::is_empty(folder));
}

TEST(Hdf5FullDisk, FailsCleanlyAtAnySizeAndCanTryAgain) {
  const TempDir dir;
  for (rlim_t limit : {100, 1000, 3000, 5000, 500'000, 1'000'500, 2'500'000}) {
    const FileSizeLimit full(limit);
    expect_clean_failure(
        dir.path(), [](const fs::path& path) { write_growing(path, 40); }, EFBIG);
  }
  for (rlim_t limit : {0, 100, 1000, 2048, 4096}) {
    const FileSizeLimit full(limit);
    expect_clean_failure(dir.path(), write_small, EFBIG);
  }
  write_growing(dir / "good.h5", 40);
  std::vector<uint8_t> row(100'000);
  File::open(dir / "good.h5").read_rows("/train/images", 39, 1, row);
  EXPECT_EQ(row, std::vector<uint8_t>(100'000, 7));
}

TEST(Hdf5FullDisk, GivenUpFilesCloseQuietly) {
  const TempDir dir;
  const FileSizeLimit full(300'000);
  File file = File::create(dir / "a.h5");
  file.create_growing("/images", {100'000}, 1);
  const std::vector<uint8_t> rows(500'000, 7);
  EXPECT_THROW(file.append_rows("/images", 5, rows), Error);
  EXPECT_THROW(file.append_rows("/images", 5, rows), Error);
  EXPECT_THROW(file.write_text("/text", "x"), Error);
}

TEST(Hdf5FullDisk, RealFileSystem) {
  const TempDir dir;
  if (mount("tmpfs", dir.path().c_str(), "tmpfs", 0, "size=2m") != 0)
    GTEST_SKIP() << "needs the right to mount a tmpfs: " << std::strerror(errno);
  expect_clean_failure(
      dir.path(), [](const fs::path& path) { write_growing(path, 40); }, ENOSPC);
  write_small(dir / "small.h5");
  EXPECT_EQ(File::open(dir / "small.h5").info("/x").shape, std::vector<int64_t>{1000});
  umount(dir.path().c_str());
}

}  // namespace
}  // namespace vit::h5
