// Cut and flipped files: an Error or the same content, never another content, a crash or a hang.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "datasets/hdf5_dataset.h"
#include "datasets/hdf5_writer.h"
#include "tests/support/pixels.h"
#include "tests/support/temp_dir.h"
#include "vit/core/error.h"
#include "vit/io/atomic_file.h"
#include "vit/io/hdf5.h"

namespace vit {
namespace {

namespace fs = std::filesystem;
using test::TempDir;

void write_dataset(const fs::path& path) {
  Hdf5DatasetWriter writer(path);
  auto train = writer.begin_split("train", SplitFormat::pixels(4, 4, true));
  for (int i = 0; i < 12; ++i) train.append(std::vector<uint8_t>(48, static_cast<uint8_t>(i)), i % 2, "some/path");
  train.end();
  auto val = writer.begin_split("val", SplitFormat::files(false));
  for (int i = 0; i < 3; ++i) val.append(std::vector<uint8_t>(20, 'x'), 0);  // no pictures: decoding has its own tests
  val.end();
  writer.finish({{"cat", "dog"}, "here", {{"size", 4}}});
}

/// All that a data set file says, as text.
std::string dataset_content(const fs::path& path, int64_t memory_budget) {
  std::ostringstream out;
  const auto dataset = open_hdf5_dataset(path, {.memory_budget = memory_budget});
  for (const std::string& name : dataset->class_names()) out << name << ' ';
  out << dataset->preprocess() << dataset->image_size();
  for (const std::string& name : dataset->split_names()) {
    const auto split = dataset->split(name);
    out << name << dataset->checksum(name) << split->size();
    for (int64_t i = 0; i < split->size(); ++i) {
      out << split->label(i) << split->path(i);
      if (name == "val") continue;
      const Image image = split->image(i);
      const std::vector<uint8_t> pixels = test::pixels_of(image);
      out << image.rgb.cols << 'x' << image.rgb.rows << std::string(pixels.begin(), pixels.end());
    }
  }
  return out.str();
}

void write_model_like(const fs::path& path) {
  h5::File file = h5::File::create(path);
  const std::vector<float> weights(300, 0.5f);
  const std::vector<int64_t> counters{1, 2, 3};
  file.write_text("/config", "{\"width\": 192}");
  file.write_texts("/class_names", {"a", "bcd"});
  for (int i = 0; i < 4; ++i) file.write(concat("/weights/blocks.", i, ".bias"), {300}, std::span(weights));
  file.write("/counters", {3}, std::span(counters));
  file.write_attribute("/", "format", "x");
  file.close();
}

std::string model_like_content(const fs::path& path, int64_t) {
  std::ostringstream out;
  const h5::File file = h5::File::open(path);
  out << file.read_attribute("/", "format") << file.read_text("/config");
  for (const std::string& name : file.read_texts("/class_names")) out << name;
  for (const std::string& name : file.children("/")) out << name;
  for (const std::string& name : file.children("/weights")) {
    const std::string object = "/weights/" + name;
    std::vector<float> values(300);
    out << name << file.info(object).shape.at(0);
    file.read(object, std::span(values));
    for (float value : values) out << value;
  }
  std::vector<int64_t> counters(3);
  file.read("/counters", std::span(counters));
  for (int64_t value : counters) out << value;
  return out.str();
}

struct Case {
  const char* name;
  void (*write)(const fs::path&);
  std::string (*content)(const fs::path&, int64_t memory_budget);
  int64_t memory_budget;
};

class Hdf5Damage : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    GetParam().write(dir_ / "good.h5");
    bytes_ = read_file(dir_ / "good.h5", 1 << 24);
    content_ = GetParam().content(dir_ / "good.h5", GetParam().memory_budget);
  }

  /// True when the bytes are refused; anything but an Error or the right content fails the test.
  bool refused(const std::string& bytes) const {
    const fs::path path = dir_ / "bad.h5";
    fs::remove(path);  // a new file is not forced to the disk, as one that is cut and rewritten is on ext4
    std::ofstream(path, std::ios::binary) << bytes;
    try {
      EXPECT_TRUE(GetParam().content(path, GetParam().memory_budget) == content_) << "another content";
      return false;
    } catch (const Error& error) {
      EXPECT_TRUE(error.kind() == ErrorKind::data || error.kind() == ErrorKind::io) << error.what();
      EXPECT_NE(std::string(error.what()).find(path.string()), std::string::npos) << error.what();
      return true;
    }
  }

  TempDir dir_;
  std::string bytes_;
  std::string content_;
};

INSTANTIATE_TEST_SUITE_P(, Hdf5Damage,
                         testing::Values(Case{"DatasetInMemory", write_dataset, dataset_content, int64_t{1} << 30},
                                         Case{"DatasetOnDisk", write_dataset, dataset_content, 0},
                                         Case{"Model", write_model_like, model_like_content, 0}),
                         [](const auto& test_case) { return test_case.param.name; });

TEST_P(Hdf5Damage, CutFilesAreRefused) {
  for (std::size_t size = 0; size < bytes_.size(); size += 97)
    EXPECT_TRUE(refused(bytes_.substr(0, size))) << "cut to " << size << " of " << bytes_.size() << " bytes";
  EXPECT_TRUE(refused(bytes_.substr(0, bytes_.size() - 1)));
}

TEST_P(Hdf5Damage, InsertedBytesAreRefused) {
  for (std::size_t at = 0; at <= bytes_.size(); at += 193) {
    SCOPED_TRACE(concat("before byte ", at));
    for (const std::size_t count : {std::size_t{1}, std::size_t{152}, std::size_t{512}}) {
      if (at == 0 && count == 512) continue;  // that is a user block
      std::string damaged = bytes_;
      EXPECT_TRUE(refused(damaged.insert(at, count, 'x')));
    }
  }
}

// The size of the file stays, so that nothing but the content tells.
TEST_P(Hdf5Damage, MovedBytesAreRefusedOrMeanNothing) {
  for (std::size_t at = 64; at + 1024 < bytes_.size(); at += 193) {
    SCOPED_TRACE(concat("moved from ", at));
    std::string damaged = bytes_;
    damaged.insert(at, 32, 'x');
    refused(damaged.erase(bytes_.size() - 512, 32));
  }
}

TEST_P(Hdf5Damage, FlippedBytesAreRefusedOrMeanNothing) {
  int64_t tried = 0;
  int64_t caught = 0;
  for (std::size_t i = 0; i < bytes_.size(); i += i < 1024 ? 1 : 23) {
    std::string damaged = bytes_;
    const unsigned flip = i % 3 == 0 ? 0xff : 1u << (i % 8);
    damaged[i] = static_cast<char>(static_cast<unsigned char>(damaged[i]) ^ flip);
    SCOPED_TRACE(concat("byte ", i, " of ", bytes_.size(), ", bits ", flip));
    ++tried;
    caught += refused(damaged) ? 1 : 0;
  }
  EXPECT_GT(caught, tried / 4) << "of " << tried;  // the rest is space that nothing uses
}

TEST_P(Hdf5Damage, OverwrittenRunsAreRefusedOrMeanNothing) {
  for (std::size_t i = 0; i < bytes_.size(); i += 211) {
    SCOPED_TRACE(concat("64 bytes from ", i));
    std::string damaged = bytes_;
    damaged.replace(i, std::min<std::size_t>(64, damaged.size() - i), 64, static_cast<char>(0xff));
    damaged.resize(bytes_.size());
    refused(damaged);
  }
}

}  // namespace
}  // namespace vit
