#include "datasets/hdf5_dataset.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <opencv2/imgcodecs.hpp>
#include <string>
#include <vector>

#include "datasets/hdf5_writer.h"
#include "tests/support/pixels.h"
#include "tests/support/temp_dir.h"
#include "vit/core/error.h"
#include "vit/core/parallel.h"
#include "vit/io/atomic_file.h"
#include "vit/io/hdf5.h"

namespace vit {
namespace {

using test::pixels_of;
using test::TempDir;
namespace fs = std::filesystem;

constexpr int64_t kHeight = 3;
constexpr int64_t kWidth = 5;

std::vector<uint8_t> pixels(int index, int64_t height = kHeight, int64_t width = kWidth) {
  std::vector<uint8_t> bytes(static_cast<std::size_t>(height * width * 3));
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(31 * index + 7 * static_cast<int>(i));
  return bytes;
}

std::vector<uint8_t> png(int index) {
  std::vector<uint8_t> rgb = pixels(index);
  for (std::size_t i = 0; i < rgb.size(); i += 3) std::swap(rgb[i], rgb[i + 2]);
  std::vector<uint8_t> file;
  cv::imencode(".png", cv::Mat(kHeight, kWidth, CV_8UC3, rgb.data()), file);
  return file;
}

std::string path_of(int index) {
  return index == 2 ? "" : "class/" + std::string(static_cast<std::size_t>(index), 'p');
}

void write_pixels(const fs::path& path, int train, int test) {
  Hdf5DatasetWriter writer(path);
  auto train_split = writer.begin_split("train", SplitFormat::pixels(kHeight, kWidth));
  auto test_split = writer.begin_split("test", SplitFormat::pixels(kHeight, kWidth, true));
  for (int i = 0; i < std::max(train, test); ++i) {  // interleaved
    if (i < train) train_split.append(pixels(i), i % 2);
    if (i < test) test_split.append(pixels(100 + i), 1, path_of(i));
  }
  EXPECT_EQ(train_split.size(), train);
  train_split.end();
  test_split.end();
  writer.finish({{"cat", "dog"}, "made up", {{"size", 3}}});
}

void write_encoded(const fs::path& path, int count) {
  Hdf5DatasetWriter writer(path);
  auto split = writer.begin_split("val", SplitFormat::files());
  for (int i = 0; i < count; ++i) split.append(png(i), i % 3, path_of(i));
  split.end();
  writer.finish({{"a", "b", "c"}, "", nullptr});
}

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

class Hdf5Dataset : public testing::TestWithParam<int64_t> {
 protected:
  std::shared_ptr<const Dataset> open(const fs::path& path) const {
    return open_hdf5_dataset(path, {.memory_budget = GetParam()});
  }
};
INSTANTIATE_TEST_SUITE_P(, Hdf5Dataset, testing::Values(0, int64_t{1} << 30),
                         [](const auto& test_case) { return test_case.param == 0 ? "FromDisk" : "InMemory"; });

TEST_P(Hdf5Dataset, KeepsPixelsLabelsPathsAndMetadata) {
  const TempDir dir;
  write_pixels(dir / "d.h5", 9, 4);
  const auto dataset = open(dir / "d.h5");
  EXPECT_EQ(dataset->class_names(), (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(dataset->split_names(), (std::vector<std::string>{"train", "test"}));
  EXPECT_EQ(dataset->preprocess(), nlohmann::json({{"size", 3}}));
  EXPECT_EQ(dataset->image_size(), 0);  // not square
  EXPECT_EQ(dataset->split("val"), nullptr);
  EXPECT_EQ(dataset->checksum("val"), "");
  const auto train = dataset->split("train");
  ASSERT_EQ(train->size(), 9);
  for (int i = 0; i < 9; ++i) {
    const Image image = train->image(i);
    EXPECT_EQ(image.rgb.cols, kWidth);
    EXPECT_EQ(image.rgb.rows, kHeight);
    EXPECT_EQ(pixels_of(image), pixels(i));
    EXPECT_EQ(train->label(i), i % 2);
    EXPECT_EQ(train->path(i), "");
  }
  const auto test = dataset->split("test");
  ASSERT_EQ(test->size(), 4);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(pixels_of(test->image(i)), pixels(100 + i));
    EXPECT_EQ(test->path(i), path_of(i));
  }
  EXPECT_EQ(dataset->split("train"), train);
  EXPECT_THROW(train->image(9), Error);
  EXPECT_THROW(train->label(-1), Error);
  EXPECT_THROW(train->path(9), Error);
}

TEST_P(Hdf5Dataset, DecodesFilesKeptWhole) {
  const TempDir dir;
  write_encoded(dir / "d.h5", 5);
  const auto dataset = open(dir / "d.h5");
  EXPECT_EQ(dataset->image_size(), 0);
  EXPECT_TRUE(dataset->preprocess().is_null());
  const auto val = dataset->split("val");
  ASSERT_EQ(val->size(), 5);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(pixels_of(val->image(i)), pixels(i));
    EXPECT_EQ(val->label(i), i % 3);
    EXPECT_EQ(val->path(i), path_of(i));
  }
}

TEST_P(Hdf5Dataset, NamesTheFileThatCannotBeDecoded) {
  const TempDir dir;
  {
    Hdf5DatasetWriter writer(dir / "d.h5");
    auto split = writer.begin_split("train", SplitFormat::files());
    split.append(png(0), 0, "good.png");
    split.append(std::vector<uint8_t>{1, 2, 3}, 0, "bad.png");
    split.append({}, 0, "empty.png");
    split.end();
    writer.finish({{"a"}, "", nullptr});
  }
  const auto train = open(dir / "d.h5")->split("train");
  EXPECT_EQ(pixels_of(train->image(0)), pixels(0));
  const std::string place = "bad.png (picture 1 of /train in " + (dir / "d.h5").string() + ")";
  EXPECT_NE(error_of([&] { train->image(1); }).find(place), std::string::npos);
  EXPECT_NE(error_of([&] { train->image(2); }).find("empty.png"), std::string::npos);
}

TEST_P(Hdf5Dataset, ReadsTheSameFromManyThreads) {
  const TempDir dir;
  constexpr int kCount = 1000;
  constexpr int64_t kSide = 40;  // 218 pictures a chunk
  {
    Hdf5DatasetWriter writer(dir / "d.h5");
    auto split = writer.begin_split("train", SplitFormat::pixels(kSide, kSide));
    for (int i = 0; i < kCount; ++i) split.append(pixels(i, kSide, kSide), 0);
    split.end();
    writer.finish({{"a"}, "", nullptr});
  }
  const auto dataset = open(dir / "d.h5");
  EXPECT_EQ(dataset->image_size(), kSide);
  const auto train = dataset->split("train");
  std::vector<char> equal(kCount, 0);
  set_thread_count(8);
  parallel_for(kCount, 1, [&](int64_t begin, int64_t) {
    const int64_t i = begin * 617 % kCount;  // all over the file
    equal[static_cast<std::size_t>(i)] = pixels_of(train->image(i)) == pixels(static_cast<int>(i), kSide, kSide);
  });
  set_thread_count(0);
  EXPECT_EQ(std::count(equal.begin(), equal.end(), 1), kCount);
}

TEST_P(Hdf5Dataset, TakesEmptySplits) {
  const TempDir dir;
  write_pixels(dir / "d.h5", 2, 0);
  const auto test = open(dir / "d.h5")->split("test");
  EXPECT_EQ(test->size(), 0);
}

/// A file of two pictures whose parts the test may replace before they are written.
struct RawDataset {
  std::string format = "vit-dataset";
  std::string version = "1";
  std::vector<std::string> class_names{"a", "b"};
  std::string preprocess = "{}";
  std::vector<int32_t> labels{0, 1};
  std::vector<int64_t> image_shape{2, kHeight, kWidth, 3};
  bool encoded = false;
  std::vector<int64_t> offsets{0, 4, 10};
  std::vector<int64_t> path_offsets{0, 1, 2};
  std::string checksum;

  void write(const fs::path& path) const {
    h5::File file = h5::File::create(path);
    file.write_attribute("/", "format", format);
    file.write_attribute("/", "version", version);
    file.write_attribute("/", "preprocess", preprocess);
    file.write_texts("/class_names", class_names);
    file.write("/train/labels", {static_cast<int64_t>(labels.size())}, std::span(labels));
    int64_t bytes = encoded ? 10 : 1;
    if (!encoded)
      for (int64_t n : image_shape) bytes *= n;
    const std::vector<uint8_t> data(static_cast<std::size_t>(bytes), 1);
    if (encoded) {
      file.write("/train/encoded", {10}, std::span(data));
      file.write("/train/offsets", {static_cast<int64_t>(offsets.size())}, std::span(offsets));
    } else {
      file.write("/train/images", image_shape, std::span(data));
    }
    const std::vector<uint8_t> paths{'x', 'y'};
    file.write("/train/paths", {2}, std::span(paths));
    file.write("/train/path_offsets", {static_cast<int64_t>(path_offsets.size())}, std::span(path_offsets));
    if (!checksum.empty()) file.write_attribute("/train", "checksum", checksum);
    file.close();
  }
};

struct Fault {
  const char* name;
  void (*make)(RawDataset&);
  const char* text;  // of the error, beside the file name
};

class Hdf5DatasetFault : public testing::TestWithParam<Fault> {};
INSTANTIATE_TEST_SUITE_P(
    , Hdf5DatasetFault,
    testing::Values(Fault{"Format", [](RawDataset& d) { d.format = "other"; }, "is of format 'other'"},
                    Fault{"Version", [](RawDataset& d) { d.version = "9"; }, "version '9'"},
                    Fault{"Preprocess", [](RawDataset& d) { d.preprocess = "{\"size\":"; }, "attribute 'preprocess'"},
                    Fault{"LabelTooLarge",
                          [](RawDataset& d) {
                            d.labels = {0, 2};
                          },
                          "/train/labels"},
                    Fault{"LabelNegative",
                          [](RawDataset& d) {
                            d.labels = {-1, 0};
                          },
                          "/train/labels"},
                    Fault{"NoClassNames", [](RawDataset& d) { d.class_names.clear(); }, "/train/labels"},
                    Fault{"FewerLabels", [](RawDataset& d) { d.labels = {0}; }, "/train/images"},
                    Fault{"ImageRank",
                          [](RawDataset& d) {
                            d.image_shape = {2, kHeight, kWidth * 3};
                          },
                          "/train/images"},
                    Fault{"ImageChannels",
                          [](RawDataset& d) {
                            d.image_shape = {2, kHeight, kWidth, 4};
                          },
                          "/train/images"},
                    Fault{"ImageEmpty",
                          [](RawDataset& d) {
                            d.image_shape = {2, 0, kWidth, 3};
                          },
                          "/train/images"},
                    Fault{"OffsetsShort",
                          [](RawDataset& d) {
                            d.encoded = true, d.offsets = {0, 10};
                          },
                          "/train/offsets"},
                    Fault{"OffsetsStart",
                          [](RawDataset& d) {
                            d.encoded = true, d.offsets = {1, 4, 10};
                          },
                          "/train/offsets"},
                    Fault{"OffsetsEnd",
                          [](RawDataset& d) {
                            d.encoded = true, d.offsets = {0, 4, 11};
                          },
                          "/train/offsets"},
                    Fault{"OffsetsBack",
                          [](RawDataset& d) {
                            d.encoded = true, d.offsets = {0, 20, 10};
                          },
                          "/train/offsets"},
                    Fault{"OffsetsNegative",
                          [](RawDataset& d) {
                            d.encoded = true, d.offsets = {0, -4, 10};
                          },
                          "/train/offsets"},
                    Fault{"PathOffsets",
                          [](RawDataset& d) {
                            d.path_offsets = {0, 3, 2};
                          },
                          "/train/path_offsets"},
                    Fault{"PathOffsetsShort",
                          [](RawDataset& d) {
                            d.path_offsets = {0, 2};
                          },
                          "/train/path_offsets"},
                    Fault{"Checksum", [](RawDataset& d) { d.checksum = "0123456789abcdef"; },
                          "checksum 0123456789abcdef"}),
    [](const auto& test_case) { return test_case.param.name; });

TEST_P(Hdf5DatasetFault, IsAnErrorThatNamesFileAndField) {
  const TempDir dir;
  RawDataset raw;
  raw.write(dir / "good.h5");
  EXPECT_EQ(open_hdf5_dataset(dir / "good.h5")->split("train")->size(), 2);
  GetParam().make(raw);
  raw.write(dir / "bad.h5");
  const std::string text = error_of([&] { open_hdf5_dataset(dir / "bad.h5")->split("train"); });
  EXPECT_NE(text.find((dir / "bad.h5").string()), std::string::npos) << text;
  EXPECT_NE(text.find(GetParam().text), std::string::npos) << text;
}

TEST(Hdf5DatasetFile, MissingPartsAreNamed) {
  const TempDir dir;
  h5::File::create(dir / "bare.h5").close();
  EXPECT_NE(error_of([&] { open_hdf5_dataset(dir / "bare.h5"); }).find("'format'"), std::string::npos);
  {
    Hdf5DatasetWriter writer(dir / "no_split.h5");
    writer.finish({{"a"}, "", nullptr});
  }
  EXPECT_NE(error_of([&] { open_hdf5_dataset(dir / "no_split.h5"); }).find("none of the splits"), std::string::npos);
}

}  // namespace
}  // namespace vit
