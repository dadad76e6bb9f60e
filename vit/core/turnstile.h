// Lets concurrent shards add into shared sums in shard order, so that a sum has the same bits for any number
// of threads and needs one accumulator, not one per thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

namespace vit {

/// One gate per section (e.g. per parameter group). Shard s passes a gate after shard s-1 did. A body that
/// throws must call `break_all` so that later shards do not wait for ever.
class Turnstile {
 public:
  explicit Turnstile(int sections);

  /// Opens all gates for shard 0; call it while nobody waits.
  void reset();
  /// Blocks until every earlier shard has left the section. Throws Error (internal) when broken.
  void enter(int section, int64_t shard);
  /// Lets shard + 1 in.
  void leave(int section, int64_t shard);
  void break_all();

 private:
  struct alignas(64) Gate {
    std::atomic<int64_t> next{0};
  };
  std::unique_ptr<Gate[]> gates_;
  int sections_;
};

}  // namespace vit
