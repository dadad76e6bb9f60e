// Check sums: those that HDF5 keeps with its chunks and its metadata, and the one that names the content of a data set.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

struct XXH64_state_s;  // of libxxhash

namespace vit {

/// Fletcher's sum of 16-bit big-endian words as HDF5's filter computes it; a last odd byte is a word's high half.
uint32_t fletcher32(std::span<const uint8_t> bytes);

/// Bob Jenkins' lookup3 with initial value 0, byte by byte ("hashlittle"): the sum of HDF5's metadata.
uint32_t lookup3(std::span<const uint8_t> bytes);

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
  struct Free {
    void operator()(XXH64_state_s* state) const;
  };
  std::unique_ptr<XXH64_state_s, Free> state_;
};

}  // namespace vit
