#include "vit/core/parallel.h"

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <limits>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "vit/core/error.h"
#include "vit/core/signal_block.h"

namespace vit {
namespace {

/// An arena of so many threads, and leave to have them where that is more than there are processors.
struct Pool {
  explicit Pool(int threads)
      : limit(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(threads)), arena(threads) {}
  tbb::global_control limit;
  tbb::task_arena arena;
};

std::mutex setting;
std::shared_ptr<Pool> current;

std::shared_ptr<Pool> pool_in_use() {
  const std::lock_guard lock(setting);
  if (!current) current = std::make_shared<Pool>(tbb::info::default_concurrency());
  return current;
}

// A thread inside a body runs further calls serially: a body may hold arenas and wait for other shards, so it
// must never be made to run somebody else's work.
thread_local bool inside_body = false;

#if defined(__SANITIZE_THREAD__)
extern "C" void __tsan_acquire(void* address);
extern "C" void __tsan_release(void* address);
#endif

/// One call of many threads. The thread sanitizer, which does not see into TBB, is told what comes before what: the
/// caller before the bodies, these before what the caller does next.
class Region {
 public:
  Region() { release(&begin_); }
  void enter() { acquire(&begin_); }
  void leave() { release(&end_); }
  ~Region() { acquire(&end_); }

 private:
#if defined(__SANITIZE_THREAD__)
  static void acquire(void* address) { __tsan_acquire(address); }
  static void release(void* address) { __tsan_release(address); }
#else
  static void acquire(void*) {}
  static void release(void*) {}
#endif
  char begin_ = 0, end_ = 0;
};

class BodyScope {
 public:
  explicit BodyScope(Region& region) : region_(region), before_(inside_body) {
    region_.enter();
    inside_body = true;
  }
  ~BodyScope() {
    inside_body = before_;
    region_.leave();
  }

 private:
  Region& region_;
  bool before_;
};

}  // namespace

void set_thread_count(int threads) {
  if (threads < 0) fail(ErrorKind::usage, "[threads] needs 0 (all processors) or more, has ", threads);
  const std::lock_guard lock(setting);
  current.reset();  // the smallest of all limits holds: the old one has to go first
  current = std::make_shared<Pool>(threads == 0 ? tbb::info::default_concurrency() : threads);
}

int thread_count() { return pool_in_use()->arena.max_concurrency(); }

void parallel_for(int64_t count, int64_t grain, FunctionRef<void(int64_t, int64_t)> body) {
  if (count <= 0) return;
  grain = std::max<int64_t>(1, grain);
  const int64_t pieces = (count + grain - 1) / grain;
  const auto piece = [&](int64_t p) { body(p * grain, std::min(count, (p + 1) * grain)); };
  const auto pool = pool_in_use();
  if (pieces == 1 || inside_body || pool->arena.max_concurrency() == 1) {
    for (int64_t p = 0; p < pieces; ++p) piece(p);
    return;
  }
  Region region;
  pool->arena.execute([&] {
    tbb::parallel_for(
        int64_t{0}, pieces,
        [&](int64_t p) {
          const BodyScope scope(region);
          piece(p);
        },
        tbb::simple_partitioner());
  });
}

namespace {

/// Which parts of which phase are begun and ended.
class Phases {
 public:
  Phases(int phases, int parts) : phases_(phases), parts_(parts), begun_(static_cast<std::size_t>(phases * parts)) {}

  void work(int first_part, FunctionRef<void(int, int)> body) {
    for (int phase = 0; phase < phases_; ++phase) {
      for (int i = 0; i < parts_; ++i) {
        const int part = (first_part + i) % parts_;
        if (begun_[static_cast<std::size_t>(phase * parts_ + part)].exchange(true)) continue;
        try {
          if (!broken_.load()) body(phase, part);
        } catch (...) {
          broken_ = true;
          ended_ += 1;
          throw;
        }
        ended_ += 1;
      }
      wait_for((phase + 1) * parts_);
    }
  }

 private:
  void wait_for(int parts) const {
    constexpr int kSpins = 4000;  // some 50 us: then somebody else may need the processor
    for (int spins = 0; ended_.load(std::memory_order_acquire) < parts && !broken_.load(); ++spins)
      spins < kSpins ? pause() : std::this_thread::yield();
  }
  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }

  int phases_, parts_;
  std::vector<std::atomic<bool>> begun_;
  std::atomic<int> ended_{0};
  std::atomic<bool> broken_{false};
};

}  // namespace

void parallel_phases(int phases, int parts, FunctionRef<void(int, int)> body) {
  const auto pool = pool_in_use();
  const int workers = inside_body ? 1 : std::min(parts, pool->arena.max_concurrency());
  Phases state(phases, parts);
  Region region;
  const auto work = [&](int worker) {
    const BodyScope scope(region);
    const SignalBlock quiet;
    state.work(worker, body);
  };
  if (workers <= 1) {
    work(0);
    return;
  }
  pool->arena.execute([&] { tbb::parallel_for(0, workers, work, tbb::simple_partitioner()); });
}

namespace {

/// The exception of the earliest shard that failed.
class EarliestFailure {
 public:
  bool before(int64_t shard) const { return shard_.load() < shard; }
  void keep_current(int64_t shard) {
    const std::lock_guard lock(mutex_);
    if (shard_.load() <= shard) return;
    shard_ = shard;
    exception_ = std::current_exception();
  }
  void rethrow() const {
    if (exception_) std::rethrow_exception(exception_);
  }

 private:
  std::mutex mutex_;
  std::atomic<int64_t> shard_{std::numeric_limits<int64_t>::max()};
  std::exception_ptr exception_;
};

}  // namespace

void parallel_shards(int64_t shards, FunctionRef<void(int64_t, int)> body) {
  if (shards <= 0) return;
  const auto pool = pool_in_use();
  const int workers = inside_body ? 1 : static_cast<int>(std::min<int64_t>(shards, pool->arena.max_concurrency()));
  std::atomic<int64_t> next{0};
  EarliestFailure failure;
  Region region;
  const auto work = [&](int worker) {
    const BodyScope scope(region);
    for (int64_t shard = next++; shard < shards && !failure.before(shard); shard = next++) {
      const SignalBlock quiet;
      try {
        body(shard, worker);
      } catch (...) {
        failure.keep_current(shard);
      }
    }
  };
  if (workers == 1)
    work(0);
  else
    pool->arena.execute([&] { tbb::parallel_for(0, workers, work, tbb::simple_partitioner()); });
  failure.rethrow();
}

}  // namespace vit
