#include "datasets/mnist_idx.h"

#include <gtest/gtest.h>

#include "datasets/folder_walk.h"
#include "tests/support/caught_error.h"
#include "tests/support/pixels.h"
#include "tests/support/source_files.h"
#include "tests/support/temp_dir.h"

namespace vit {
namespace {

using test::error_of;
using test::FileList;
using test::holds;
using test::TempDir;

std::string big_endian(uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 255);
  return bytes;
}

/// `count` pictures of 2 rows and 3 columns; pixel k of picture i is 40 i + 7 k.
std::string images(int count) {
  std::string bytes = big_endian(0x803) + big_endian(static_cast<uint32_t>(count)) + big_endian(2) + big_endian(3);
  for (int i = 0; i < count; ++i)
    for (int k = 0; k < 6; ++k) bytes += static_cast<char>(40 * i + 7 * k);
  return bytes;
}

std::string labels(const std::vector<int>& values) {
  std::string bytes = big_endian(0x801) + big_endian(static_cast<uint32_t>(values.size()));
  for (const int value : values) bytes += static_cast<char>(value);
  return bytes;
}

FileList mnist() {
  return {{"train-images-idx3-ubyte", images(3)},
          {"train-labels-idx1-ubyte", labels({2, 0, 1})},
          {"t10k-images-idx3-ubyte", images(2)},
          {"t10k-labels-idx1-ubyte", labels({3, 1})}};
}

ArraySource read_folder(const std::filesystem::path& folder) {
  return read_mnist(*open_source(folder), walk_folder(folder).files);
}

ArraySource read(const FileList& files) {
  const TempDir dir;
  test::write_folder(dir / "src", files);
  return read_folder(dir / "src");
}

std::string refused(const FileList& files) {
  return error_of(ErrorKind::data, [&] { read(files); });
}

void expect_all(const ArraySource& data) {
  EXPECT_EQ(data.class_names, (std::vector<std::string>{"0", "1", "2", "3"}));
  ASSERT_EQ(data.splits.size(), 2u);
  EXPECT_EQ(data.splits[0].split, 0);
  EXPECT_EQ(data.splits[0].labels, (std::vector<int32_t>{2, 0, 1}));
  EXPECT_EQ(data.splits[1].split, 2);
  EXPECT_EQ(data.splits[1].labels, (std::vector<int32_t>{3, 1}));
  const Image image = data.splits[0].picture(2);
  EXPECT_EQ(image.rgb.cols, 3);
  EXPECT_EQ(image.rgb.rows, 2);
  EXPECT_EQ(test::pixels_of(image), (std::vector<uint8_t>{80, 80, 80, 87, 87, 87, 94, 94, 94,  //
                                                          101, 101, 101, 108, 108, 108, 115, 115, 115}));
  EXPECT_EQ(test::pixels_of(data.splits[1].picture(1)).at(0), 40);
}

TEST(MnistIdx, ReadsPlainFiles) { expect_all(read(mnist())); }

TEST(MnistIdx, ReadsPackedFilesInAnyForm) {
  const TempDir dir;
  std::filesystem::create_directory(dir / "src");
  FileList packed;
  for (const auto& [name, content] : mnist()) {
    test::write_archive(dir / "src" / (name + ".gz"), {{name, content}});
    packed.emplace_back("set/" + name + ".gz", test::read_bytes(dir / "src" / (name + ".gz")));
  }
  expect_all(read_folder(dir / "src"));
  test::write_archive(dir / "set.zip", packed);
  std::vector<std::string> paths;
  for (const auto& file : packed) paths.push_back(file.first);
  expect_all(read_mnist(*open_source(dir / "set.zip"), paths));
}

TEST(MnistIdx, KnowsTheNamesOfItsKind) {
  for (const char* name : {"train-images-idx3-ubyte", "x/t10k-labels-idx1-ubyte.gz", "train-images.idx3-ubyte",
                           "emnist-letters-test-images-idx3-ubyte.gz"})
    EXPECT_TRUE(looks_like_mnist(std::vector<std::string>{name})) << name;
  for (const char* name :
       {"images", "train.png", "train-images-idx1-ubyte", ".train-images-idx3-ubyte", "train-idx3-ubyte"})
    EXPECT_FALSE(looks_like_mnist(std::vector<std::string>{name})) << name;
  EXPECT_EQ(read({{"emnist-digits-train-images-idx3-ubyte", images(1)},
                  {"emnist-digits-train-labels-idx1-ubyte", labels({1})}})
                .splits.size(),
            1u);
}

TEST(MnistIdx, NamesMissingAndDoubleFiles) {
  for (size_t i = 0; i < 4; ++i) {
    FileList files = mnist();
    const std::string partner = files[i ^ 1].first;
    files.erase(files.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_TRUE(holds(refused(files), {"images and labels", partner.c_str()}));
  }
  EXPECT_TRUE(holds(refused({{"x", ""}}), {"train-images-idx3-ubyte"}));
  FileList files = mnist();
  files.emplace_back("other/train-images-idx3-ubyte", images(1));
  EXPECT_TRUE(holds(refused(files), {"train-images-idx3-ubyte and ", "other/train-images-idx3-ubyte"}));
}

TEST(MnistIdx, RefusesFilesCutAnywhereOrTooLong) {
  const std::string whole = mnist()[0].second;
  for (size_t size = 0; size <= whole.size() + 1; ++size) {
    if (size == whole.size()) continue;
    FileList files = mnist();
    files[0].second.resize(size);
    EXPECT_TRUE(holds(refused(files), {"train-images-idx3-ubyte", size < 16 ? "header" : "size"})) << size;
  }
  for (size_t size = 0; size < 11; ++size) {
    FileList files = mnist();
    files[1].second.resize(size);
    EXPECT_TRUE(holds(refused(files), {"train-labels-idx1-ubyte", size < 8 ? "header" : "size"})) << size;
  }
}

TEST(MnistIdx, ChecksTheFieldsOfTheHeader) {
  const auto with = [](size_t file, size_t at, uint32_t value) {
    FileList files = mnist();
    files[file].second.replace(at, 4, big_endian(value));
    return refused(files);
  };
  EXPECT_TRUE(holds(with(0, 0, 0x801), {"train-images", "magic", "2051", "2049"}));
  EXPECT_TRUE(holds(with(0, 0, 0xd03), {"train-images", "magic"})) << "floats";
  EXPECT_TRUE(holds(with(1, 0, 0x803), {"train-labels", "magic"}));
  for (const uint32_t count : {0u, 2u, 4u, 0x7fffffffu, 0xffffffffu})
    EXPECT_TRUE(holds(with(0, 4, count), {"train-images", "size"})) << count;
  for (const size_t at : {8, 12})
    for (const uint32_t side : {0u, 5000u, 0xffffffffu})
      EXPECT_TRUE(holds(with(0, at, side), {"train-images", "rows x columns"})) << side;

  FileList files = mnist();
  files[3].second = labels({1, 1, 1});
  EXPECT_TRUE(holds(refused(files), {"t10k-labels", "2 pictures", "has 3"}));
}

}  // namespace
}  // namespace vit
