#include "vit/core/turnstile.h"

#include "vit/core/error.h"

namespace vit {
namespace {

constexpr int64_t kBroken = -1;
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
  for (int s = 0; s < sections_; ++s) gates_[static_cast<std::size_t>(s)].next.store(0);
}

void Turnstile::enter(int section, int64_t shard) {
  std::atomic<int64_t>& next = gates_[static_cast<std::size_t>(section)].next;
  int64_t now = next.load(std::memory_order_acquire);
  for (int spin = 0; now != shard && now != kBroken && spin < kSpins; ++spin) {
    pause();
    now = next.load(std::memory_order_acquire);
  }
  while (now != shard && now != kBroken) {
    next.wait(now, std::memory_order_acquire);
    now = next.load(std::memory_order_acquire);
  }
  if (now == kBroken) fail(ErrorKind::internal, "[turnstile] an earlier shard failed");
}

void Turnstile::leave(int section, int64_t shard) {
  std::atomic<int64_t>& next = gates_[static_cast<std::size_t>(section)].next;
  int64_t expected = shard;  // a broken gate stays broken
  next.compare_exchange_strong(expected, shard + 1, std::memory_order_release);
  next.notify_all();
}

void Turnstile::break_all() {
  for (int s = 0; s < sections_; ++s) {
    std::atomic<int64_t>& next = gates_[static_cast<std::size_t>(s)].next;
    next.store(kBroken, std::memory_order_release);
    next.notify_all();
  }
}

}  // namespace vit
