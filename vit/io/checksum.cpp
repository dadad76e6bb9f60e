#include "vit/io/checksum.h"

#include <algorithm>
#include <bit>
#include <cstring>

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

constexpr uint64_t kPrime1 = 0x9E3779B185EBCA87;
constexpr uint64_t kPrime2 = 0xC2B2AE3D27D4EB4F;
constexpr uint64_t kPrime3 = 0x165667B19E3779F9;
constexpr uint64_t kPrime4 = 0x85EBCA77C2B2AE63;
constexpr uint64_t kPrime5 = 0x27D4EB2F165667C5;

uint64_t mix_lane(uint64_t lane, uint64_t word) { return std::rotl(lane + word * kPrime2, 31) * kPrime1; }

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

Xxh64::Xxh64() : lanes_{kPrime1 + kPrime2, kPrime2, 0, uint64_t{0} - kPrime1} {}

void Xxh64::add(std::span<const uint8_t> bytes) {
  total_ += bytes.size();
  const auto add_stripe = [this](const uint8_t* stripe) {
    for (std::size_t l = 0; l < 4; ++l) lanes_[l] = mix_lane(lanes_[l], load<uint64_t>(stripe + 8 * l));
  };
  if (pending_size_ > 0) {
    const std::size_t taken = std::min(kStripe - pending_size_, bytes.size());
    std::copy_n(bytes.begin(), taken, pending_.begin() + static_cast<std::ptrdiff_t>(pending_size_));
    pending_size_ += taken;
    bytes = bytes.subspan(taken);
    if (pending_size_ < kStripe) return;
    add_stripe(pending_.data());
    pending_size_ = 0;
  }
  for (; bytes.size() >= kStripe; bytes = bytes.subspan(kStripe)) add_stripe(bytes.data());
  std::copy(bytes.begin(), bytes.end(), pending_.begin());
  pending_size_ = bytes.size();
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

uint64_t Xxh64::digest() const {
  uint64_t hash = kPrime5;
  if (total_ >= kStripe) {
    hash = std::rotl(lanes_[0], 1) + std::rotl(lanes_[1], 7) + std::rotl(lanes_[2], 12) + std::rotl(lanes_[3], 18);
    for (uint64_t lane : lanes_) hash = (hash ^ mix_lane(0, lane)) * kPrime1 + kPrime4;
  }
  hash += total_;
  const uint8_t* p = pending_.data();
  const uint8_t* end = p + pending_size_;
  for (; end - p >= 8; p += 8) hash = std::rotl(hash ^ mix_lane(0, load<uint64_t>(p)), 27) * kPrime1 + kPrime4;
  if (end - p >= 4) {
    hash = std::rotl(hash ^ (load<uint32_t>(p) * kPrime1), 23) * kPrime2 + kPrime3;
    p += 4;
  }
  for (; p < end; ++p) hash = std::rotl(hash ^ (*p * kPrime5), 11) * kPrime1;
  hash = (hash ^ (hash >> 33)) * kPrime2;
  hash = (hash ^ (hash >> 29)) * kPrime3;
  return hash ^ (hash >> 32);
}

std::string Xxh64::hex() const {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text(16, '0');
  uint64_t hash = digest();
  for (auto digit = text.rbegin(); digit != text.rend(); ++digit, hash >>= 4) *digit = kDigits[hash & 15];
  return text;
}

}  // namespace vit
