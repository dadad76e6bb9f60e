#include "vit/core/profile.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>

namespace vit {
namespace {

using Sums = std::map<std::string_view, ProfileEntry>;

std::atomic<bool> running{false};
std::mutex threads_mutex;
std::vector<std::shared_ptr<Sums>> threads;
thread_local ProfileScope* innermost = nullptr;

/// Sums of this thread; they outlive it.
Sums& own_sums() {
  thread_local const std::shared_ptr<Sums> sums = [] {
    const std::lock_guard lock(threads_mutex);
    return threads.emplace_back(std::make_shared<Sums>());
  }();
  return *sums;
}

int64_t now() {
  const auto time = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time).count();
}

}  // namespace

void start_profile() {
  const std::lock_guard lock(threads_mutex);
  for (const auto& sums : threads) sums->clear();
  running = true;
}

std::vector<ProfileEntry> stop_profile() {
  running = false;
  const std::lock_guard lock(threads_mutex);
  Sums all;
  for (const auto& sums : threads)
    for (const auto& [name, entry] : *sums) {
      ProfileEntry& sum = all[name];
      sum.name = name;
      sum.calls += entry.calls;
      sum.seconds += entry.seconds;
      sum.flops += entry.flops;
    }
  std::vector<ProfileEntry> sorted;
  for (const auto& [name, entry] : all) sorted.push_back(entry);
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.seconds > b.seconds; });
  return sorted;
}

ProfileScope::ProfileScope(std::string_view name, double flops)
    : name_(name), flops_(flops), on_(running.load(std::memory_order_relaxed)) {
  if (!on_) return;
  outer_ = innermost;
  innermost = this;
  begin_ = now();
}

ProfileScope::~ProfileScope() {
  if (!on_) return;
  const int64_t time = now() - begin_;
  innermost = outer_;
  if (outer_ != nullptr) outer_->inner_ += time;
  ProfileEntry& entry = own_sums()[name_];
  ++entry.calls;
  entry.seconds += 1e-9 * static_cast<double>(time - inner_);
  entry.flops += flops_;
}

}  // namespace vit
