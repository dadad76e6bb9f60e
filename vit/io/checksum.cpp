#include "vit/io/checksum.h"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <new>

namespace vit {
namespace {

static_assert(std::endian::native == std::endian::little, "files are read and written as memory holds them");

template <class T>
T load(const uint8_t* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

/// A number with the same remainder modulo 65535, in 16 bits; only 0 gives 0.
uint64_t fold16(uint64_t sum) {
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}

// The words of a block are summed in lanes, so that the compiler can use vectors. With word i = kLanes * r + l of R
// rows, the second sum weighs it by n - i = kLanes * (R - r) - l.
constexpr int kLanes = 16;
constexpr int kRows = 256;  // R * (R + 1) / 2 * 65535 stays below 2^32
constexpr std::size_t kBlockBytes = sizeof(uint16_t) * kLanes * kRows;

struct FletcherSums {
  uint64_t plain = 0;
  uint64_t weighted = 0;

  void add_word(uint64_t word) {
    plain += word;
    weighted += plain;
  }

  void add_block(const uint8_t* bytes) {
    std::array<uint32_t, kLanes> lane_plain{};
    std::array<uint32_t, kLanes> lane_weighted{};
    for (int r = 0; r < kRows; ++r) {
      std::array<uint16_t, kLanes> words;
      std::memcpy(words.data(), bytes + sizeof words * static_cast<std::size_t>(r), sizeof words);
      for (std::size_t l = 0; l < kLanes; ++l) {
        lane_plain[l] += words[l];
        lane_weighted[l] += lane_plain[l];
      }
    }
    uint64_t block_plain = 0;
    uint64_t block_weighted = 0;
    for (std::size_t l = 0; l < kLanes; ++l) {
      block_plain += lane_plain[l];
      block_weighted += uint64_t{kLanes} * lane_weighted[l] - l * uint64_t{lane_plain[l]};
    }
    weighted = fold16(weighted + uint64_t{kLanes} * kRows * plain + block_weighted);
    plain = fold16(plain + block_plain);
  }
};

struct Lookup3 {
  uint32_t a, b, c;

  void add(const uint8_t* bytes) {
    a += load<uint32_t>(bytes);
    b += load<uint32_t>(bytes + 4);
    c += load<uint32_t>(bytes + 8);
  }
  void mix() {
    a = (a - c) ^ std::rotl(c, 4), c += b;
    b = (b - a) ^ std::rotl(a, 6), a += c;
    c = (c - b) ^ std::rotl(b, 8), b += a;
    a = (a - c) ^ std::rotl(c, 16), c += b;
    b = (b - a) ^ std::rotl(a, 19), a += c;
    c = (c - b) ^ std::rotl(b, 4), b += a;
  }
  void finish() {
    c = (c ^ b) - std::rotl(b, 14);
    a = (a ^ c) - std::rotl(c, 11);
    b = (b ^ a) - std::rotl(a, 25);
    c = (c ^ b) - std::rotl(b, 16);
    a = (a ^ c) - std::rotl(c, 4);
    b = (b ^ a) - std::rotl(a, 14);
    c = (c ^ b) - std::rotl(b, 24);
  }
};

}  // namespace

uint32_t fletcher32(std::span<const uint8_t> bytes) {
  FletcherSums sums;
  const uint8_t* p = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= kBlockBytes; left -= kBlockBytes, p += kBlockBytes) sums.add_block(p);
  for (; left >= 2; left -= 2, p += 2) sums.add_word(load<uint16_t>(p));
  if (left == 1) sums.add_word(*p);
  // Swapping the bytes of a word multiplies it by 256 modulo 65535, so it may be done once, to the sums.
  const auto swapped = [](uint64_t sum) {
    const auto word = static_cast<uint32_t>(fold16(sum));
    return ((word & 0xff) << 8) | (word >> 8);
  };
  return (swapped(sums.weighted) << 16) | swapped(sums.plain);
}

uint32_t lookup3(std::span<const uint8_t> bytes) {
  constexpr std::size_t kBlock = 12;
  const uint32_t start = 0xdeadbeef + static_cast<uint32_t>(bytes.size());
  Lookup3 state{start, start, start};
  if (bytes.empty()) return state.c;
  for (; bytes.size() > kBlock; bytes = bytes.subspan(kBlock)) {
    state.add(bytes.data());
    state.mix();
  }
  std::array<uint8_t, kBlock> last{};
  std::ranges::copy(bytes, last.begin());
  state.add(last.data());
  state.finish();
  return state.c;
}

void Xxh64::Free::operator()(XXH64_state_s* state) const { ::XXH64_freeState(state); }

Xxh64::Xxh64() : state_(::XXH64_createState()) {
  if (!state_) throw std::bad_alloc();
  ::XXH64_reset(state_.get(), 0);
}

void Xxh64::add(std::span<const uint8_t> bytes) {
  if (!bytes.empty()) ::XXH64_update(state_.get(), bytes.data(), bytes.size());
}

void Xxh64::add_u32(uint32_t value) {
  std::array<uint8_t, sizeof value> bytes;
  std::memcpy(bytes.data(), &value, sizeof value);
  add(bytes);
}

void Xxh64::add_u64(uint64_t value) {
  std::array<uint8_t, sizeof value> bytes;
  std::memcpy(bytes.data(), &value, sizeof value);
  add(bytes);
}

uint64_t Xxh64::digest() const { return ::XXH64_digest(state_.get()); }

std::string Xxh64::hex() const {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text(16, '0');
  uint64_t hash = digest();
  for (auto digit = text.rbegin(); digit != text.rend(); ++digit, hash >>= 4) *digit = kDigits[hash & 15];
  return text;
}

}  // namespace vit
