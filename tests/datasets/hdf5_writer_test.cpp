#include "datasets/hdf5_writer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/temp_dir.h"
#include "vit/core/error.h"
#include "vit/io/atomic_file.h"
#include "vit/io/hdf5.h"

namespace vit {
namespace {

using test::TempDir;
namespace fs = std::filesystem;

const std::vector<uint8_t> kPicture{1, 2, 3, 4, 5, 6};  // 1 x 2 pixels

TEST(Hdf5Writer, LaysOutTheFileAsDocumented) {
  const TempDir dir;
  {
    Hdf5DatasetWriter writer(dir / "d.h5");
    auto pixels = writer.begin_split("train", SplitFormat::pixels(1, 2));
    pixels.append(kPicture, 1);
    pixels.append(kPicture, 0);
    pixels.end();
    auto files = writer.begin_split("val", SplitFormat::files());
    files.append(std::vector<uint8_t>{9, 8, 7}, 1, "ab");
    files.append(std::vector<uint8_t>{6}, 0, "c");
    files.end();
    writer.finish({{"x", "yy"}, "here", {{"rule", "squash"}}});
  }
  const h5::File file = h5::File::open(dir / "d.h5");
  EXPECT_EQ(file.children("/"), (std::vector<std::string>{"class_names", "train", "val"}));
  EXPECT_EQ(file.children("/train"), (std::vector<std::string>{"images", "labels"}));
  EXPECT_EQ(file.children("/val"), (std::vector<std::string>{"encoded", "labels", "offsets", "path_offsets", "paths"}));
  EXPECT_EQ(file.info("/train/images").shape, (std::vector<int64_t>{2, 1, 2, 3}));
  EXPECT_EQ(file.read_texts("/class_names"), (std::vector<std::string>{"x", "yy"}));
  EXPECT_EQ(file.read_attribute("/", "format"), "vit-dataset");
  EXPECT_EQ(file.read_attribute("/", "version"), "1");
  EXPECT_EQ(file.read_attribute("/", "source"), "here");
  EXPECT_EQ(file.read_attribute("/", "preprocess"), "{\"rule\":\"squash\"}");
  std::vector<int64_t> offsets(3);
  file.read("/val/offsets", std::span(offsets));
  EXPECT_EQ(offsets, (std::vector<int64_t>{0, 3, 4}));
  file.read("/val/path_offsets", std::span(offsets));
  EXPECT_EQ(offsets, (std::vector<int64_t>{0, 2, 3}));
  std::vector<uint8_t> bytes(4);
  file.read("/val/encoded", std::span(bytes));
  EXPECT_EQ(bytes, (std::vector<uint8_t>{9, 8, 7, 6}));
  std::vector<int32_t> labels(2);
  file.read("/val/labels", std::span(labels));
  EXPECT_EQ(labels, (std::vector<int32_t>{1, 0}));
}

// xxhash.xxh64(struct.pack("<iq", 1, 6) + bytes([1,2,3,4,5,6]) + struct.pack("<iq", 0, 6) + bytes([1,2,3,4,5,6]))
// of the Python package xxhash.
TEST(Hdf5Writer, ChecksumMatchesAnotherImplementation) {
  const TempDir dir;
  Hdf5DatasetWriter writer(dir / "d.h5");
  auto split = writer.begin_split("train", SplitFormat::pixels(1, 2));
  split.append(kPicture, 1);
  split.append(kPicture, 0);
  EXPECT_EQ(split.end(), "7c9c3932d1fc0d95");
}

TEST(Hdf5Writer, SameInputGivesSameBytesAndOtherInputAnotherChecksum) {
  const TempDir dir;
  const auto make = [&](const char* name, uint8_t value, int32_t label) {
    Hdf5DatasetWriter writer(dir / name);
    auto split = writer.begin_split("train", SplitFormat::pixels(20, 20));
    for (int i = 0; i < 2000; ++i) split.append(std::vector<uint8_t>(1200, value), label);
    const std::string checksum = split.end();
    writer.finish({{"x", "y"}, "here", nullptr});
    return checksum;
  };
  const std::string first = make("a.h5", 5, 0);
  EXPECT_EQ(make("b.h5", 5, 0), first);
  EXPECT_TRUE(read_file(dir / "a.h5", 1 << 24) == read_file(dir / "b.h5", 1 << 24));
  EXPECT_NE(make("c.h5", 5, 1), first);
  EXPECT_NE(make("d.h5", 6, 0), first);
}

TEST(Hdf5Writer, SmallSplitsMakeSmallFiles) {
  const TempDir dir;
  Hdf5DatasetWriter writer(dir / "d.h5");
  auto split = writer.begin_split("train", SplitFormat::pixels(10, 10, true));
  for (int i = 0; i < 10; ++i) split.append(std::vector<uint8_t>(300, 1), 0, "p");
  split.end();
  writer.finish({{"x"}, "", nullptr});
  EXPECT_LT(fs::file_size(dir / "d.h5"), 16'384u);  // 3000 bytes of pictures, and what describes them
}

TEST(Hdf5Writer, RefusesMisuse) {
  const TempDir dir;
  Hdf5DatasetWriter writer(dir / "d.h5");
  EXPECT_THROW(writer.begin_split("other", SplitFormat::files()), Error);
  EXPECT_THROW(writer.begin_split("train", SplitFormat::pixels(0, 2)), Error);
  auto split = writer.begin_split("train", SplitFormat::pixels(1, 2));
  EXPECT_THROW(writer.begin_split("train", SplitFormat::files()), Error);
  EXPECT_THROW(split.append(std::vector<uint8_t>(5), 0), Error);
  EXPECT_THROW(split.append(kPicture, -1), Error);
  split.append(kPicture, 3);
  EXPECT_THROW(writer.finish({{"x"}, "", nullptr}), Error);  // not ended
  split.end();
  EXPECT_THROW(split.end(), Error);
  EXPECT_THROW(split.append(kPicture, 0), Error);
  EXPECT_THROW(writer.begin_split("train", SplitFormat::files()), Error);
  EXPECT_THROW(writer.finish({{"x"}, "", nullptr}), Error);  // label 3
  writer.finish({{"a", "b", "c", "d"}, "", nullptr});
}

}  // namespace
}  // namespace vit
