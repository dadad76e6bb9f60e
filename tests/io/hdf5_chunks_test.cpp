#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "tests/support/temp_dir.h"
#include "vit/core/error.h"
#include "vit/core/parallel.h"
#include "vit/io/atomic_file.h"
#include "vit/io/hdf5.h"

namespace vit::h5 {
namespace {

namespace fs = std::filesystem;
using test::TempDir;

constexpr int64_t kRows = 1003;
constexpr int64_t kRowBytes = 35;  // an odd number, so that chunks are too
constexpr int64_t kRowsPerChunk = 17;

std::vector<uint8_t> random_bytes(int64_t count) {
  std::vector<uint8_t> bytes(static_cast<std::size_t>(count));
  uint32_t state = 1;
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>((state = state * 1664525u + 1013904223u) >> 24);
  return bytes;
}

void write_rows(const fs::path& path, std::span<const uint8_t> bytes) {
  File file = File::create(path);
  file.create_growing("/images", {7, 5}, kRowsPerChunk);
  file.append_rows("/images", kRows, bytes);
  file.close();
}

std::span<const uint8_t> row_of(const std::vector<uint8_t>& bytes, int64_t row, int64_t count = 1) {
  return std::span(bytes).subspan(static_cast<std::size_t>(row * kRowBytes),
                                  static_cast<std::size_t>(count * kRowBytes));
}

TEST(ChunkReader, ReadsWhatTheLibraryWrote) {
  const TempDir dir;
  const std::vector<uint8_t> bytes = random_bytes(kRows * kRowBytes);
  write_rows(dir / "a.h5", bytes);
  const ChunkReader reader(dir / "a.h5", "/images");
  EXPECT_EQ(reader.rows(), kRows);
  EXPECT_EQ(reader.row_bytes(), kRowBytes);
  ASSERT_EQ(reader.rows_per_chunk(), kRowsPerChunk);  // so it reads beside the library
  std::vector<uint8_t> all(bytes.size());
  reader.read_rows(0, kRows, all);
  EXPECT_EQ(all, bytes);
  std::vector<uint8_t> some(kRowBytes * 40);
  for (int64_t begin : {0, 16, 17, 500, 963}) {
    reader.read_rows(begin, 40, some);
    EXPECT_TRUE(std::ranges::equal(some, row_of(bytes, begin, 40))) << begin;
  }
  reader.read_rows(kRows, 0, {});
}

TEST(ChunkReader, ManyThreadsReadTheSameAsOne) {
  const TempDir dir;
  const std::vector<uint8_t> bytes = random_bytes(kRows * kRowBytes);
  write_rows(dir / "a.h5", bytes);
  const ChunkReader reader(dir / "a.h5", "/images");
  std::vector<char> equal(kRows, 0);
  set_thread_count(8);
  parallel_for(kRows, 1, [&](int64_t begin, int64_t) {
    const int64_t row = begin * 617 % kRows;
    std::vector<uint8_t> got(kRowBytes);
    reader.read_row(row, got);
    equal[static_cast<std::size_t>(row)] = std::ranges::equal(got, row_of(bytes, row));
  });
  set_thread_count(0);
  EXPECT_EQ(std::ranges::count(equal, 1), kRows);
}

TEST(ChunkReader, ReadsFixedAndTinyDatasets) {
  const TempDir dir;
  const std::vector<uint8_t> bytes = random_bytes(3'000'000);
  {
    File file = File::create(dir / "a.h5");
    file.write("/three_chunks", {3'000'000}, std::span(bytes));
    file.write("/one", {1, 1}, std::span(bytes).first(1));
    file.write("/none", {0, 4}, std::span<const uint8_t>());
    file.close();
  }
  const ChunkReader reader(dir / "a.h5", "/three_chunks");
  EXPECT_GT(reader.rows_per_chunk(), 0);
  std::vector<uint8_t> got(bytes.size());
  reader.read_rows(0, 3'000'000, got);
  EXPECT_EQ(got, bytes);
  got.resize(1);
  ChunkReader(dir / "a.h5", "/one").read_row(0, got);
  EXPECT_EQ(got[0], bytes[0]);
  EXPECT_EQ(ChunkReader(dir / "a.h5", "/none").rows(), 0);
}

TEST(ChunkReader, RefusesWrongRangesAndTypes) {
  const TempDir dir;
  write_rows(dir / "a.h5", random_bytes(kRows * kRowBytes));
  const ChunkReader reader(dir / "a.h5", "/images");
  std::vector<uint8_t> row(kRowBytes);
  EXPECT_THROW(reader.read_row(-1, row), Error);
  EXPECT_THROW(reader.read_row(kRows, row), Error);
  EXPECT_THROW(reader.read_rows(kRows - 1, 2, row), Error);
  EXPECT_THROW(reader.read_rows(0, 2, row), Error);
  EXPECT_THROW(ChunkReader(dir / "a.h5", "/absent"), Error);
  {
    File file = File::create(dir / "b.h5");
    const std::vector<float> floats(3);
    file.write("/x", {3}, std::span(floats));
    file.close();
  }
  EXPECT_THROW(ChunkReader(dir / "b.h5", "/x"), Error);
}

// The places of the data are found by their content: each chunk is followed by its sum, which is flipped as well.
TEST(ChunkReader, NoticesEveryFlippedByteOfDataAndSums) {
  const TempDir dir;
  const std::vector<uint8_t> bytes = random_bytes(kRows * kRowBytes);
  write_rows(dir / "a.h5", bytes);
  const std::string file = read_file(dir / "a.h5", 1 << 24);
  constexpr std::size_t kChunkBytes = kRowsPerChunk * kRowBytes;
  const std::string chunk(bytes.begin(), bytes.begin() + kChunkBytes);
  const std::size_t place = file.find(chunk);
  ASSERT_NE(place, std::string::npos);
  std::vector<uint8_t> row(kRowBytes);
  for (std::size_t i = 0; i < kChunkBytes + 4; i += 7) {
    std::string damaged = file;
    damaged[place + i] = static_cast<char>(damaged[place + i] ^ (1 << (i % 8)));
    fs::remove(dir / "b.h5");
    std::ofstream(dir / "b.h5", std::ios::binary) << damaged;
    const ChunkReader reader(dir / "b.h5", "/images");
    EXPECT_THROW(reader.read_row(3, row), Error) << "byte " << i;
    reader.read_row(kRowsPerChunk, row);  // the next chunk is whole
    EXPECT_TRUE(std::ranges::equal(row, row_of(bytes, kRowsPerChunk)));
  }
}

}  // namespace
}  // namespace vit::h5
