#include "datasets/loader.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

#include "tests/support/caught_error.h"
#include "tests/support/picture_files.h"
#include "vit/core/parallel.h"

namespace vit {
namespace {

using test::error_of;
using test::holds;
using test::small_picture;

constexpr int64_t kSide = 8;
constexpr int64_t kPatch = 4;

class TestSplit : public Split {
 public:
  explicit TestSplit(int64_t size) : size_(size) {}
  int64_t size() const override { return size_; }
  int32_t label(int64_t index) const override { return static_cast<int32_t>(index % 10); }
  std::string path(int64_t index) const override { return concat("p", index); }
  Image image(int64_t index) const override {
    ++read;
    if (index == internal_fault) fail(ErrorKind::internal, "[test] a defect at ", index);
    if (index % 10 == broken_digit) fail(ErrorKind::data, "[test] p", index, " is broken");
    return small_picture(kSide, kSide, static_cast<int>(index));
  }

  int64_t broken_digit = -1;
  int64_t internal_fault = -1;
  mutable std::atomic<int64_t> read{0};

 private:
  int64_t size_;
};

Pipeline pipeline() {
  PreprocessConfig config;
  config.size = kSide;
  config.resize_size = kSide;
  return {config, kPatch};
}

/// All that a pass gives, in plain containers.
struct Pass {
  std::vector<int64_t> sizes;
  std::vector<int64_t> indices;
  std::vector<int32_t> labels;
  std::vector<float> patches;
  std::vector<int64_t> unreadable;

  bool operator==(const Pass&) const = default;
};

Pass run(const std::shared_ptr<const Split>& split, const LoaderOptions& options) {
  Pass pass;
  const Pipeline prepare = pipeline();
  Loader loader(split, prepare, options);
  while (const Batch* batch = loader.next()) {
    pass.sizes.push_back(batch->size);
    pass.indices.insert(pass.indices.end(), batch->indices.begin(), batch->indices.end());
    pass.labels.insert(pass.labels.end(), batch->labels.begin(), batch->labels.end());
    const float* values = batch->patches.data();
    pass.patches.insert(pass.patches.end(), values, values + batch->size * prepare.patches() * prepare.patch_dim());
    for (const UnreadableImage& bad : batch->unreadable) {
      EXPECT_EQ(bad.path, split->path(bad.index));
      EXPECT_EQ(bad.error, concat("[test] ", bad.path, " is broken"));
      pass.unreadable.push_back(bad.index);
    }
  }
  EXPECT_EQ(loader.next(), nullptr) << "a pass that has ended stays so";
  return pass;
}

LoaderOptions options(int64_t batch) {
  LoaderOptions result;
  result.batch = batch;
  return result;
}

/// What the pipeline alone makes of the pictures.
std::vector<float> expected_patches(const std::vector<int64_t>& indices) {
  const Pipeline prepare = pipeline();
  const int64_t row = prepare.patches() * prepare.patch_dim();
  std::vector<float> values(indices.size() * static_cast<size_t>(row));
  for (size_t i = 0; i < indices.size(); ++i)
    prepare.prepare(
        small_picture(kSide, kSide, static_cast<int>(indices[i])),
        TensorView<float>(values.data() + static_cast<int64_t>(i) * row, {prepare.patches(), prepare.patch_dim()}));
  return values;
}

TEST(Loader, GivesAllPicturesInOrder) {
  const auto split = std::make_shared<TestSplit>(23);
  const Pass pass = run(split, options(10));
  EXPECT_EQ(pass.sizes, (std::vector<int64_t>{10, 10, 3}));
  EXPECT_EQ(pass.indices, file_order(23));
  for (size_t i = 0; i < pass.labels.size(); ++i) EXPECT_EQ(pass.labels[i], static_cast<int32_t>(i % 10));
  EXPECT_EQ(pass.patches, expected_patches(file_order(23)));
}

TEST(Loader, DropsTheLastBatchOnlyWhenItIsNotFull) {
  LoaderOptions wanted = options(10);
  wanted.drop_last = true;
  EXPECT_EQ(run(std::make_shared<TestSplit>(23), wanted).sizes, (std::vector<int64_t>{10, 10}));
  EXPECT_EQ(run(std::make_shared<TestSplit>(20), wanted).sizes, (std::vector<int64_t>{10, 10}));
  EXPECT_TRUE(run(std::make_shared<TestSplit>(9), wanted).sizes.empty());
  EXPECT_TRUE(run(std::make_shared<TestSplit>(0), options(4)).sizes.empty());
}

TEST(Loader, ShufflesByTheEpochAndStartsInTheMiddle) {
  const auto split = std::make_shared<TestSplit>(57);
  LoaderOptions wanted = options(10);
  wanted.shuffle = true;
  wanted.seed = 3;
  wanted.epoch = 2;
  const Pass whole = run(split, wanted);
  EXPECT_EQ(whole.indices, epoch_order(57, 3, 2));
  EXPECT_EQ(whole.patches, expected_patches(whole.indices));

  wanted.first_batch = 4;
  const Pass rest = run(split, wanted);
  EXPECT_EQ(rest.indices, std::vector<int64_t>(whole.indices.begin() + 40, whole.indices.end()));
  EXPECT_EQ(Loader(split, pipeline(), wanted).batches(), 6);
  wanted.first_batch = 99;
  EXPECT_TRUE(run(split, wanted).sizes.empty());
}

TEST(Loader, AugmentsByTheSampleNotByItsPlace) {
  const auto split = std::make_shared<TestSplit>(12);
  LoaderOptions wanted = options(5);
  wanted.seed = 8;
  wanted.epoch = 6;
  wanted.augmentation = AugmentConfig{};
  wanted.augmentation->flip = 0.5f;
  wanted.augmentation->crop_padding = 2;
  wanted.shuffle = true;
  const Pass pass = run(split, wanted);

  const Pipeline prepare = pipeline();
  const int64_t row = prepare.patches() * prepare.patch_dim();
  std::vector<float> one(static_cast<size_t>(row));
  for (size_t i = 0; i < pass.indices.size(); ++i) {
    const auto index = static_cast<uint64_t>(pass.indices[i]);
    AugmentRandom random(8, 6, index);
    prepare.prepare_augmented(small_picture(kSide, kSide, static_cast<int>(index)), *wanted.augmentation, random,
                              TensorView<float>(one.data(), {prepare.patches(), prepare.patch_dim()}));
    const auto begin = pass.patches.begin() + static_cast<int64_t>(i) * row;
    EXPECT_EQ(std::vector<float>(begin, begin + row), one) << "picture " << index;
  }
  EXPECT_NE(pass.patches, expected_patches(pass.indices)) << "the augmentation must change something";
}

TEST(Loader, LeavesOutAndListsUnreadablePictures) {
  const auto split = std::make_shared<TestSplit>(32);
  split->broken_digit = 3;
  const Pass pass = run(split, options(7));
  EXPECT_EQ(pass.unreadable, (std::vector<int64_t>{3, 13, 23}));
  EXPECT_EQ(pass.sizes, (std::vector<int64_t>{6, 6, 7, 6, 4}));
  std::vector<int64_t> readable;
  for (int64_t i = 0; i < 32; ++i)
    if (i % 10 != 3) readable.push_back(i);
  EXPECT_EQ(pass.indices, readable);
  EXPECT_EQ(pass.patches, expected_patches(readable));
}

TEST(Loader, ABatchMayBeEmpty) {
  const auto split = std::make_shared<TestSplit>(4);
  split->broken_digit = 1;
  const Pass pass = run(split, options(1));
  EXPECT_EQ(pass.sizes, (std::vector<int64_t>{1, 0, 1, 1}));
}

TEST(Loader, IsTheSameForAnyNumberOfThreadsAndBatchesAhead) {
  const auto split = std::make_shared<TestSplit>(101);
  split->broken_digit = 7;
  LoaderOptions wanted = options(16);
  wanted.shuffle = true;
  wanted.augmentation = AugmentConfig{};
  wanted.augmentation->flip = 0.5f;
  wanted.augmentation->rotate = 20;
  set_thread_count(1);
  const Pass serial = run(split, wanted);
  for (const int threads : {2, 3, 8}) {
    set_thread_count(threads);
    for (const int64_t ahead : {1, 2, 50}) {
      wanted.ahead = ahead;
      EXPECT_EQ(run(split, wanted), serial) << threads << " threads, " << ahead << " ahead";
    }
  }
  set_thread_count(0);
}

TEST(Loader, PreparesNoMoreThanAskedForInAdvance) {
  const auto split = std::make_shared<TestSplit>(1000);
  LoaderOptions wanted = options(10);
  wanted.ahead = 2;
  Loader loader(split, pipeline(), wanted);
  ASSERT_NE(loader.next(), nullptr);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_LE(split->read, 30);  // one in use, two ahead
}

TEST(Loader, ReusesItsMemory) {
  LoaderOptions wanted = options(10);
  wanted.ahead = 2;
  Loader loader(std::make_shared<TestSplit>(200), pipeline(), wanted);
  std::vector<const Batch*> seen;
  while (const Batch* batch = loader.next()) seen.push_back(batch);
  ASSERT_EQ(seen.size(), 20u);
  for (size_t i = 3; i < seen.size(); ++i) EXPECT_EQ(seen[i], seen[i - 3]);
}

TEST(Loader, ADefectReachesTheUserAfterTheBatchesBeforeIt) {
  const auto split = std::make_shared<TestSplit>(40);
  split->internal_fault = 25;
  Loader loader(split, pipeline(), options(10));
  EXPECT_NE(loader.next(), nullptr);
  EXPECT_NE(loader.next(), nullptr);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(error_of(ErrorKind::internal, [&] { loader.next(); }), "[test] a defect at 25");
}

TEST(Loader, StopsInTheMiddleOfABatch) {
  class SlowSplit : public TestSplit {
   public:
    SlowSplit() : TestSplit(10'000) {}
    Image image(int64_t index) const override {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      return TestSplit::image(index);
    }
  };
  const auto split = std::make_shared<SlowSplit>();
  {
    Loader loader(split, pipeline(), options(10'000));
    while (split->read == 0) std::this_thread::yield();
  }
  EXPECT_LT(split->read, 1000) << "the batch has 10,000";
}

TEST(Loader, RefusesSenselessOptions) {
  const auto split = std::make_shared<TestSplit>(4);
  const auto refused = [&](const char* name, const auto& change) {
    LoaderOptions wanted;
    change(wanted);
    EXPECT_TRUE(holds(error_of(ErrorKind::usage, [&] { Loader(split, pipeline(), wanted); }), {name}));
  };
  refused("batch", [](LoaderOptions& o) { o.batch = 0; });
  refused("ahead", [](LoaderOptions& o) { o.ahead = 0; });
  refused("epoch", [](LoaderOptions& o) { o.epoch = -1; });
  refused("first_batch", [](LoaderOptions& o) { o.first_batch = -1; });
  refused("batch", [](LoaderOptions& o) { o.batch = INT64_MAX; });
  EXPECT_TRUE(holds(error_of(ErrorKind::usage, [&] { Loader(nullptr, pipeline(), {}); }), {"split"}));
}

}  // namespace
}  // namespace vit
