#include "datasets/cifar.h"

#include <gtest/gtest.h>

#include <stdexcept>

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

constexpr int kPlane = 1024;

/// Byte of channel c at pixel p of the picture `seed`.
uint8_t value(int seed, int c, int p) { return static_cast<uint8_t>(seed * 50 + c * 80 + p * 3 + p / 256); }

std::string record(const std::string& labels, int seed) {
  std::string bytes = labels;
  for (int c = 0; c < 3; ++c)
    for (int p = 0; p < kPlane; ++p) bytes += static_cast<char>(value(seed, c, p));
  return bytes;
}

std::string label(int value) { return std::string(1, static_cast<char>(value)); }

const char* const kNames10 = "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n";

/// Two records a batch: labels b and 9 - b, seeds 2b and 2b + 1; batch 5 is the test batch.
FileList cifar10() {
  FileList files{{"x/batches.meta.txt", kNames10}};
  for (const int b : {3, 1, 5, 0, 4, 2}) {  // in no order, as published
    const std::string name = b == 5 ? "x/test_batch.bin" : concat("x/data_batch_", b + 1, ".bin");
    files.emplace_back(name, record(label(b), 2 * b) + record(label(9 - b), 2 * b + 1));
  }
  return files;
}

FileList cifar100() {
  std::string names;
  for (int c = 0; c < 100; ++c) names += concat("n", c, "\r\n");
  return {{"train.bin", record(label(19) + label(99), 0) + record(label(3) + label(7), 1)},
          {"test.bin", record(label(0) + label(42), 2)},
          {"fine_label_names.txt", names},
          {"coarse_label_names.txt", "not read"}};
}

std::vector<std::string> paths_of(const FileList& files) {
  std::vector<std::string> paths;
  for (const auto& file : files) paths.push_back(file.first);
  return paths;
}

ArraySource read(const FileList& files, CifarKind kind) {
  const TempDir dir;
  test::write_folder(dir / "src", files);
  return read_cifar(*open_source(dir / "src"), paths_of(files), kind);
}

std::string refused(const FileList& files, CifarKind kind = CifarKind::cifar10) {
  return error_of(ErrorKind::data, [&] { read(files, kind); });
}

/// The content of a file of the list.
std::string& content(FileList& files, const std::string& path) {
  for (auto& file : files)
    if (file.first == path) return file.second;
  throw std::runtime_error(path);
}

void expect_picture(const ArraySplit& split, int64_t index, int seed) {
  const Image image = split.picture(index);
  ASSERT_EQ(image.rgb.cols, 32);
  ASSERT_EQ(image.rgb.rows, 32);
  const std::vector<uint8_t> pixels = test::pixels_of(image);
  ASSERT_EQ(pixels.size(), 3072u);
  for (int p = 0; p < kPlane; ++p)
    for (int c = 0; c < 3; ++c)
      ASSERT_EQ(pixels[static_cast<size_t>(3 * p + c)], value(seed, c, p)) << "pixel " << p << " channel " << c;
}

TEST(Cifar, ReadsTheTenClassesInOrderOfTheBatches) {
  const ArraySource data = read(cifar10(), CifarKind::cifar10);
  ASSERT_EQ(data.class_names.size(), 10u);
  EXPECT_EQ(data.class_names[0], "airplane");
  EXPECT_EQ(data.class_names[9], "truck");
  ASSERT_EQ(data.splits.size(), 2u);
  EXPECT_EQ(data.splits[0].split, 0);
  EXPECT_EQ(data.splits[0].labels, (std::vector<int32_t>{0, 9, 1, 8, 2, 7, 3, 6, 4, 5}));
  for (int i = 0; i < 10; ++i) expect_picture(data.splits[0], i, i);
  EXPECT_EQ(data.splits[1].split, 2);
  EXPECT_EQ(data.splits[1].labels, (std::vector<int32_t>{5, 4}));
  expect_picture(data.splits[1], 1, 11);
}

TEST(Cifar, ReadsTheFineLabelsOfAHundredClasses) {
  const ArraySource data = read(cifar100(), CifarKind::cifar100);
  ASSERT_EQ(data.class_names.size(), 100u);
  EXPECT_EQ(data.class_names[99], "n99");
  EXPECT_EQ(data.splits[0].labels, (std::vector<int32_t>{99, 7}));
  EXPECT_EQ(data.splits[1].labels, (std::vector<int32_t>{42}));
  expect_picture(data.splits[0], 1, 1);
  expect_picture(data.splits[1], 0, 2);
}

TEST(Cifar, IsKnownByItsFileNames) {
  EXPECT_TRUE(looks_like_cifar(paths_of(cifar10()), CifarKind::cifar10));
  EXPECT_FALSE(looks_like_cifar(paths_of(cifar10()), CifarKind::cifar100));
  EXPECT_TRUE(looks_like_cifar(paths_of(cifar100()), CifarKind::cifar100));
  EXPECT_FALSE(looks_like_cifar(paths_of(cifar100()), CifarKind::cifar10));
  EXPECT_FALSE(looks_like_cifar(std::vector<std::string>{"a/train.bin", "a/1.png"}, CifarKind::cifar100));
}

TEST(Cifar, ClassesWithoutNamesGetNumbers) {
  FileList files = cifar10();
  files.erase(files.begin());
  EXPECT_EQ(read(files, CifarKind::cifar10).class_names[7], "7");
}

TEST(Cifar, NamesMissingFiles) {
  for (size_t i = 1; i < 7; ++i) {
    FileList files = cifar10();
    const std::string name = files[i].first.substr(2);
    files.erase(files.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_TRUE(holds(refused(files), {"src", name.c_str(), "missing"}));
  }
  EXPECT_TRUE(holds(refused({cifar100()[0]}, CifarKind::cifar100), {"test.bin", "missing"}));
}

TEST(Cifar, RefusesFilesThatAreCutOrTooLong) {
  for (const size_t size : {0, 1, 2, 1024, 3071, 3072, 3074, 5000, 6145, 6147}) {
    FileList files = cifar10();
    content(files, "x/data_batch_3.bin").resize(size);
    EXPECT_TRUE(holds(refused(files), {"data_batch_3.bin", "size", "3073"})) << size;
  }
  FileList files = cifar10();
  content(files, "x/data_batch_3.bin").resize(3073);  // between two records
  EXPECT_TRUE(holds(refused(files), {"data_batch_3.bin", "records", "data_batch_1.bin (2)", "has 1"}));
}

TEST(Cifar, RefusesWrongLabelsAndNames) {
  FileList files = cifar10();
  content(files, "x/test_batch.bin")[3073] = 10;
  EXPECT_TRUE(holds(refused(files), {"test_batch.bin", "record 1", "0 to 9", "has 10"}));
  files = cifar100();
  content(files, "train.bin")[1] = 100;
  EXPECT_TRUE(holds(refused(files, CifarKind::cifar100), {"train.bin", "record 0", "0 to 99", "has 100"}));
  files = cifar10();
  content(files, "x/batches.meta.txt") = "one\ntwo\n";
  EXPECT_TRUE(holds(refused(files), {"batches.meta.txt", "10 lines", "has 2"}));
  content(files, "x/batches.meta.txt") = "a\nb\nc\nd\ne\nf\ng\nh\ni\na\n";
  EXPECT_TRUE(holds(refused(files), {"batches.meta.txt", "twice"}));
  files = cifar10();
  files.emplace_back("y/data_batch_1.bin", "");
  EXPECT_TRUE(holds(refused(files), {"data_batch_1.bin", "x/data_batch_1.bin", "y/data_batch_1.bin"}));
}

}  // namespace
}  // namespace vit
