// Lets concurrent shards add into shared sums in shard order, so that a sum has the same bits for any number
// of threads and needs one accumulator, not one per thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

namespace vit {

/// One gate per section (e.g. per parameter group). Shard s passes a gate after shard s-1 did. A body that
/// throws must call `turn_away_after` so that later shards do not wait for ever.
class Turnstile {
 public:
  explicit Turnstile(int sections);

  /// Opens all gates for shard 0; call it while nobody waits.
  void reset();
  /// Blocks until every earlier shard has left the section. Throws Error (internal) when an earlier shard failed.
  void enter(int section, int64_t shard);
  /// Lets the next shard in.
  void leave(int section);
  /// Shards after this one are turned away from now on; earlier ones go on, so that their own errors are met too.
  void turn_away_after(int64_t shard);

 private:
  struct alignas(64) Gate {
    std::atomic<int64_t> next{0};  // the shard that may enter + kFailure for each failure, which wakes those who wait
  };
  static constexpr int64_t kFailure = int64_t{1} << 40;

  bool turned_away(int64_t shard) const { return shard > last_.load(std::memory_order_acquire); }

  std::atomic<int64_t> last_{kFailure};  // the last shard that may enter
  std::unique_ptr<Gate[]> gates_;
  int sections_;
};

}  // namespace vit
