// Where the time of a run goes: scopes around the parts of a step, summed by name over all threads. Off unless started;
// a scope then costs one load.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vit {

struct ProfileEntry {
  std::string name;
  int64_t calls = 0;
  double seconds = 0;  // of all threads together
  double flops = 0;    // as the scopes stated them
};

/// Starts with empty sums; call it while no scope is open.
void start_profile();
/// The sums since the start, largest time first; call it while no scope is open. Ends the profile.
std::vector<ProfileEntry> stop_profile();

/// Counts the time from here to the end of the block. Scopes may lie in each other: the outer one counts what the inner
/// ones do not. `name` must outlive the profile.
class ProfileScope {
 public:
  explicit ProfileScope(std::string_view name, double flops = 0);
  ~ProfileScope();
  ProfileScope(const ProfileScope&) = delete;
  ProfileScope& operator=(const ProfileScope&) = delete;

 private:
  std::string_view name_;
  double flops_;
  bool on_;
  int64_t begin_ = 0;  // nanoseconds
  int64_t inner_ = 0;  // of the scopes inside
  ProfileScope* outer_ = nullptr;
};

}  // namespace vit
