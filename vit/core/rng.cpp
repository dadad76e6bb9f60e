#include "vit/core/rng.h"

#include <cmath>
#include <numbers>

namespace vit {
namespace {

constexpr uint32_t low(uint64_t x) { return static_cast<uint32_t>(x); }
constexpr uint32_t high(uint64_t x) { return static_cast<uint32_t>(x >> 32); }

}  // namespace

std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> c, std::array<uint32_t, 2> key) {
  constexpr int kRounds = 10;
  for (int round = 0; round < kRounds; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53} * c[0];
    const uint64_t p1 = uint64_t{0xCD9E8D57} * c[2];
    c = {high(p1) ^ c[1] ^ key[0], low(p1), high(p0) ^ c[3] ^ key[1], low(p0)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return c;
}

RandomStream::RandomStream(uint64_t seed, RandomPurpose purpose, uint64_t a, uint64_t b) {
  // The first block mixes seed, purpose and a into the key; b and the running block number are the counter.
  const auto mixed = philox4x32({static_cast<uint32_t>(purpose), 0, low(a), high(a)}, {low(seed), high(seed)});
  key_ = {mixed[0], mixed[1]};
  counter_ = {0, mixed[2], low(b), high(b)};
}

uint32_t RandomStream::next_u32() {
  if (used_ == 4) {
    block_ = philox4x32(counter_, key_);
    ++counter_[0];
    used_ = 0;
  }
  return block_[static_cast<std::size_t>(used_++)];
}

uint64_t RandomStream::next_u64() {
  const uint64_t first = next_u32();
  return first | (uint64_t{next_u32()} << 32);
}

float RandomStream::uniform() { return static_cast<float>(next_u32() >> 8) * 0x1p-24f; }

float RandomStream::uniform(float from, float to) { return from + (to - from) * uniform(); }

uint64_t RandomStream::below(uint64_t bound) {
  // Values past the last whole multiple of bound are drawn again.
  const uint64_t limit = UINT64_MAX - (UINT64_MAX % bound + 1) % bound;
  uint64_t x = next_u64();
  while (x > limit) x = next_u64();
  return x % bound;
}

float RandomStream::normal() {
  const double u = (static_cast<double>(next_u32()) + 1.0) * 0x1p-32;
  const double v = static_cast<double>(next_u32()) * 0x1p-32;
  return static_cast<float>(std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v));
}

float RandomStream::truncated_normal(float std) {
  float x = normal();
  while (x < -2.0f || x > 2.0f) x = normal();
  return x * std;
}

}  // namespace vit
