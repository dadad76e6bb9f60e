// Counter-based random numbers: a value depends on its key and counter alone, never on the order of calls or
// the number of threads. Philox4x32-10: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
#pragma once

#include <array>
#include <cstdint>

namespace vit {

/// The ten-round Philox block: 128 random bits of (counter, key).
std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

/// What a stream of random numbers is for; two purposes with the same seed never share numbers.
enum class RandomPurpose : uint32_t { init = 1, shuffle, augment, dropout, drop_path, split, mix, test, draw };

/// A stream of numbers keyed by (seed, purpose, a, b), e.g. (seed, augment, epoch, sample).
class RandomStream {
 public:
  RandomStream(uint64_t seed, RandomPurpose purpose, uint64_t a = 0, uint64_t b = 0);

  uint32_t next_u32();
  uint64_t next_u64();
  /// Uniform in [0, 1), 24 bits.
  float uniform();
  float uniform(float low, float high);
  /// Uniform integer in [0, bound), without modulo bias; bound > 0.
  uint64_t below(uint64_t bound);
  /// Standard normal (Box-Muller).
  float normal();
  /// Normal of mean 0 and deviation `std`, redrawn until within [-2 std, 2 std].
  float truncated_normal(float std);

 private:
  std::array<uint32_t, 2> key_;
  std::array<uint32_t, 4> counter_;
  std::array<uint32_t, 4> block_{};
  int used_ = 4;
};

}  // namespace vit
