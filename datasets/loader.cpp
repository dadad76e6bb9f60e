#include "datasets/loader.h"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

#include "preprocess/image.h"
#include "vit/core/error.h"
#include "vit/core/parallel.h"

namespace vit {
namespace {

constexpr int64_t kGrain = 4;  // pictures a task; a 32x32 picture takes a few tens of microseconds

void check(const LoaderOptions& options) {
  const auto within = [](const char* name, int64_t value, int64_t least, int64_t most) {
    if (value < least || value > most)
      fail(ErrorKind::usage, "[loader] ", name, ": needs ", least, " to ", most, ", has ", value);
  };
  within("batch", options.batch, 1, 1 << 20);
  within("ahead", options.ahead, 1, 1 << 20);
  within("epoch", options.epoch, 0, INT64_MAX);
  within("first_batch", options.first_batch, 0, INT64_MAX);
  if (options.augmentation) validate(*options.augmentation);
}

int64_t count_batches(int64_t pictures, const LoaderOptions& options) {
  return pictures / options.batch + (!options.drop_last && pictures % options.batch != 0 ? 1 : 0);
}

/// Fills batches; what it writes depends on the order of the pass and nothing else.
class BatchMaker {
 public:
  BatchMaker(std::shared_ptr<const Split> split, const Pipeline& pipeline, const LoaderOptions& options)
      : split_(std::move(split)),
        pipeline_(pipeline),
        options_(options),
        row_(pipeline.patches() * pipeline.patch_dim()),
        order_(options.shuffle ? epoch_order(split_->size(), options.seed, options.epoch) : file_order(split_->size())),
        errors_(static_cast<size_t>(options.batch)) {}

  Batch make_room() const {
    const auto rows = static_cast<size_t>(options_.batch);
    Batch batch;
    batch.patches = AlignedBuffer<float>(options_.batch * row_);
    batch.labels.reserve(rows);
    batch.indices.reserve(rows);
    return batch;
  }

  /// Returns early, with anything in the batch, when asked to stop.
  void fill(Batch& batch, int64_t number, const std::stop_token& stop) {
    const int64_t begin = number * options_.batch;
    const int64_t count = std::min(options_.batch, static_cast<int64_t>(order_.size()) - begin);
    const int64_t* indices = order_.data() + begin;
    parallel_for(count, kGrain, [&](int64_t first, int64_t last) {
      for (int64_t row = first; row < last && !stop.stop_requested(); ++row) prepare(batch, row, indices[row]);
    });
    if (!stop.stop_requested()) close_gaps(batch, indices, count);
  }

 private:
  void prepare(Batch& batch, int64_t row, int64_t index) {
    std::string& error = errors_[static_cast<size_t>(row)];
    error.clear();
    const TensorView<float> rows(batch.patches.data() + row * row_, {pipeline_.patches(), pipeline_.patch_dim()});
    try {
      const Image image = split_->image(index);
      if (options_.augmentation) {
        AugmentRandom random(options_.seed, static_cast<uint64_t>(options_.epoch), static_cast<uint64_t>(index));
        pipeline_.prepare_augmented(image, *options_.augmentation, random, rows);
      } else {
        pipeline_.prepare(image, rows);
      }
    } catch (const Error& fault) {
      if (fault.kind() != ErrorKind::data && fault.kind() != ErrorKind::io) throw;
      error = fault.what();
    }
  }

  /// Moves the rows of readable pictures together and lists the others, both in the order of the pass.
  void close_gaps(Batch& batch, const int64_t* indices, int64_t count) {
    batch.size = 0;
    batch.labels.clear();
    batch.indices.clear();
    batch.unreadable.clear();
    for (int64_t row = 0; row < count; ++row) {
      const int64_t index = indices[row];
      const std::string& error = errors_[static_cast<size_t>(row)];
      if (!error.empty()) {
        batch.unreadable.push_back({index, split_->path(index), error});
        continue;
      }
      if (batch.size != row) {
        float* to = batch.patches.data() + batch.size * row_;
        std::memcpy(to, batch.patches.data() + row * row_, static_cast<size_t>(row_) * sizeof(float));
      }
      batch.labels.push_back(split_->label(index));
      batch.indices.push_back(index);
      ++batch.size;
    }
  }

  std::shared_ptr<const Split> split_;
  Pipeline pipeline_;
  LoaderOptions options_;
  int64_t row_;  // floats of one picture
  std::vector<int64_t> order_;
  std::vector<std::string> errors_;  // of the batch in the making; empty = readable
};

}  // namespace

/// A ring of batches: batch n lies in slot n % slots. One slot is in the user's hands, the others are ready, free or
/// being filled.
struct Loader::Impl {
  Impl(std::shared_ptr<const Split> split, const Pipeline& pipeline, const LoaderOptions& options)
      : total(count_batches(split->size(), options)),
        maker(std::move(split), pipeline, options),
        made(std::min(options.first_batch, total)),
        taken(made) {
    const int64_t slots = std::min(options.ahead, total - made) + 1;
    for (int64_t slot = 0; slot < slots; ++slot) ring.push_back(maker.make_room());
    producer = std::jthread([this](const std::stop_token& stop) { produce(stop); });
  }

  void produce(const std::stop_token& stop) {
    try {
      for (int64_t number = made; number < total && wait_for_room(number, stop); ++number) {
        maker.fill(slot(number), number, stop);
        const std::lock_guard lock(mutex);
        made = number + 1;
        changed.notify_all();
      }
    } catch (...) {
      const std::lock_guard lock(mutex);
      failure = std::current_exception();
      changed.notify_all();
    }
  }

  /// False when asked to stop. The batch before `taken` is in the user's hands.
  bool wait_for_room(int64_t number, const std::stop_token& stop) {
    std::unique_lock lock(mutex);
    const auto slots = static_cast<int64_t>(ring.size());
    changed.wait(lock, stop, [&] { return number - (taken - 1) < slots; });
    return !stop.stop_requested();
  }

  Batch* next() {
    std::unique_lock lock(mutex);
    if (taken == total) return nullptr;
    changed.wait(lock, [&] { return made > taken || failure; });
    if (made == taken) std::rethrow_exception(failure);
    changed.notify_all();
    return &slot(taken++);
  }

  Batch& slot(int64_t number) { return ring[static_cast<size_t>(number) % ring.size()]; }

  const int64_t total;
  BatchMaker maker;
  std::vector<Batch> ring;

  std::mutex mutex;  // of all below
  std::condition_variable_any changed;
  int64_t made;   // batches [first_batch, made) were filled
  int64_t taken;  // and [first_batch, taken) handed out
  std::exception_ptr failure;

  std::jthread producer;  // last: it ends before what it uses goes
};

Loader::Loader(std::shared_ptr<const Split> split, const Pipeline& pipeline, const LoaderOptions& options) {
  check(options);
  if (!split) fail(ErrorKind::usage, "[loader] the data set has no such split");
  impl_ = std::make_unique<Impl>(std::move(split), pipeline, options);
}

Loader::~Loader() = default;

int64_t Loader::batches() const { return impl_->total; }

Batch* Loader::next() { return impl_->next(); }

}  // namespace vit
