// Check sums: the one that HDF5 keeps with each chunk, and the one that names the content of a data set.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace vit {

/// Fletcher's sum of 16-bit big-endian words as HDF5's filter computes it; a last odd byte is a word's high half.
uint32_t fletcher32(std::span<const uint8_t> bytes);

/// XXH64 with seed 0 (Collet's xxHash, 64-bit), fed piece by piece. Not for security.
class Xxh64 {
 public:
  Xxh64();
  void add(std::span<const uint8_t> bytes);
  void add_u32(uint32_t value);  // little endian
  void add_u64(uint64_t value);
  /// Of all that was added so far.
  uint64_t digest() const;
  /// 16 digits.
  std::string hex() const;

 private:
  static constexpr std::size_t kStripe = 32;

  std::array<uint64_t, 4> lanes_;
  std::array<uint8_t, kStripe> pending_{};
  std::size_t pending_size_ = 0;
  uint64_t total_ = 0;
};

}  // namespace vit
