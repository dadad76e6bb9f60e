// Published data sets: IDX, CIFAR, archives.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "datasets/array_source.h"
#include "datasets/cifar.h"
#include "datasets/entry_source.h"
#include "datasets/folder_layout.h"
#include "datasets/mnist_idx.h"
#include "tests/fuzz/input_file.h"
#include "tests/fuzz/parts.h"
#include "tests/fuzz/target.h"

namespace vit::fuzz {
namespace {

constexpr int64_t kMostPictures = 64;
constexpr SourceLimits kLimits{.max_entries = 1000, .max_entry_bytes = 4 << 20, .max_total_bytes = 16 << 20};

/// Files with names, as a folder would give them.
class MemorySource : public EntrySource {
 public:
  explicit MemorySource(std::vector<std::pair<std::string, std::string>> files) : files_(std::move(files)) {
    for (const auto& [path, content] : files_) listing_.files.push_back(path);
  }
  const std::filesystem::path& path() const override { return path_; }
  const Listing& listing() const override { return listing_; }
  std::unique_ptr<EntryStream> begin_pass() const override { return std::make_unique<Pass>(files_); }

 private:
  using Files = std::vector<std::pair<std::string, std::string>>;
  class Pass : public EntryStream {
   public:
    explicit Pass(const Files& files) : files_(files) {}
    bool next(std::string& path) override {
      if (++at_ > files_.size()) return false;
      path = files_[at_ - 1].first;
      return true;
    }
    std::string read(std::vector<uint8_t>& bytes, int64_t) override {
      bytes.assign(files_[at_ - 1].second.begin(), files_[at_ - 1].second.end());
      return {};
    }

   private:
    const Files& files_;
    std::size_t at_ = 0;
  };

  std::filesystem::path path_ = "memory";
  Files files_;
  Listing listing_;
};

void use(const ArraySource& source) {
  for (const ArraySplit& split : source.splits) {
    for (const int32_t label : split.labels)
      expect(label >= 0 && static_cast<std::size_t>(label) < source.class_names.size(), "a label has a class");
    const int64_t count = std::min(kMostPictures, static_cast<int64_t>(split.labels.size()));
    for (int64_t i = 0; i < count; ++i) expect(!split.picture(i).rgb.empty(), "a picture has pixels");
  }
}

}  // namespace

void read_idx(Bytes bytes) {
  const std::vector<std::string> files = files_of(bytes, 2);
  const MemorySource source({{"train-images-idx3-ubyte", files[0]}, {"train-labels-idx1-ubyte", files[1]}});
  tolerate([&] { use(read_mnist(source, source.listing().files)); });
  const MemorySource packed({{"t10k-images-idx3-ubyte.gz", files[0]}, {"t10k-labels-idx1-ubyte.gz", files[1]}});
  use(read_mnist(packed, packed.listing().files));
}

void read_cifar(Bytes bytes) {
  const std::vector<std::string> files = files_of(bytes, 2);
  std::vector<std::pair<std::string, std::string>> ten{{"test_batch.bin", files[0]}, {"batches.meta.txt", files[1]}};
  for (char i = '1'; i <= '5'; ++i) ten.emplace_back(std::string("data_batch_") + i + ".bin", files[0]);
  const MemorySource cifar10(ten);
  tolerate([&] { use(vit::read_cifar(cifar10, cifar10.listing().files, CifarKind::cifar10)); });
  const MemorySource cifar100({{"train.bin", files[0]}, {"test.bin", files[0]}, {"fine_label_names.txt", files[1]}});
  use(vit::read_cifar(cifar100, cifar100.listing().files, CifarKind::cifar100));
}

void read_archive(Bytes bytes) {
  const InputFile input(bytes);
  const auto source = open_source(input.path(), kLimits);
  const auto pass = source->begin_pass();
  std::vector<uint8_t> content;
  std::size_t count = 0;
  for (std::string path; pass->next(path); ++count) {
    expect(count < source->listing().files.size() && path == source->listing().files[count],
           "a pass has the files of the listing");
    pass->read(content, kLimits.max_entry_bytes);
  }
  expect(count == source->listing().files.size(), "a pass has all files of the listing");
  tolerate([&] { find_layout(source->listing(), {}, "archive"); });
}

}  // namespace vit::fuzz
