#include "vit/core/turnstile.h"

#include "vit/core/error.h"

namespace vit {
namespace {

constexpr int kSpins = 2000;  // a gate is usually open within microseconds

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

Turnstile::Turnstile(int sections)
    : gates_(std::make_unique<Gate[]>(static_cast<std::size_t>(sections))), sections_(sections) {}

void Turnstile::reset() {
  last_ = kFailure;
  for (int s = 0; s < sections_; ++s) gates_[static_cast<std::size_t>(s)].next.store(0);
}

void Turnstile::enter(int section, int64_t shard) {
  std::atomic<int64_t>& next = gates_[static_cast<std::size_t>(section)].next;
  int64_t now = next.load(std::memory_order_acquire);
  for (int spin = 0; now % kFailure != shard && !turned_away(shard) && spin < kSpins; ++spin) {
    pause();
    now = next.load(std::memory_order_acquire);
  }
  while (now % kFailure != shard && !turned_away(shard)) {
    next.wait(now, std::memory_order_acquire);
    now = next.load(std::memory_order_acquire);
  }
  if (turned_away(shard)) fail(ErrorKind::internal, "[turnstile] an earlier shard failed");
}

void Turnstile::leave(int section) {
  std::atomic<int64_t>& next = gates_[static_cast<std::size_t>(section)].next;
  next.fetch_add(1, std::memory_order_release);
  next.notify_all();
}

void Turnstile::turn_away_after(int64_t shard) {
  int64_t last = last_.load();
  while (shard < last && !last_.compare_exchange_weak(last, shard)) {
  }
  for (int s = 0; s < sections_; ++s) {
    std::atomic<int64_t>& next = gates_[static_cast<std::size_t>(s)].next;
    next.fetch_add(kFailure, std::memory_order_release);
    next.notify_all();
  }
}

}  // namespace vit
