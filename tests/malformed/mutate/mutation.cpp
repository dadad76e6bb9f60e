#include "tests/malformed/mutate/mutation.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <span>
#include <string_view>

#include "vit/io/checksum.h"

namespace vit::test {
namespace {

using Random = std::mt19937_64;

/// Uniform enough for this, and the same with every standard library.
std::size_t below(Random& random, std::size_t limit) {
  return limit == 0 ? 0 : static_cast<std::size_t>(random() % limit);
}

std::span<const uint8_t> bytes_at(const std::string& file, std::size_t begin, std::size_t size) {
  return {reinterpret_cast<const uint8_t*>(file.data()) + begin, size};
}

/// Small changes are the likeliest, large ones happen.
std::size_t some_length(Random& random, std::size_t limit) {
  return std::min<std::size_t>(limit, 1 + below(random, std::size_t{1} << below(random, 14)));
}

std::string random_bytes(Random& random, std::size_t count) {
  std::string bytes(count, '\0');
  const bool constant = random() % 3 == 0;
  const auto value = static_cast<char>(random());
  for (char& byte : bytes) byte = constant ? value : static_cast<char>(random());
  return bytes;
}

/// A number of 1 to 8 bytes that lies at the edge of something.
void put_extreme(Random& random, std::string& bytes, std::size_t begin, std::size_t end) {
  constexpr std::array<uint64_t, 14> kValues{
      0, 1, 2, 0x7f, 0x80, 0xff, 0xffff, 0x7fff, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, ~0ull >> 1, ~0ull};
  const std::size_t width = std::size_t{1} << below(random, 4);
  uint64_t value = kValues[below(random, kValues.size())];
  if (random() % 4 == 0) value = below(random, bytes.size() + 2);  // a place in the file
  if (end - begin < width) return;
  const std::size_t at = begin + below(random, end - begin - width + 1);
  const bool big_endian = random() % 4 == 0;
  for (std::size_t i = 0; i < width; ++i)
    bytes[at + (big_endian ? width - 1 - i : i)] = static_cast<char>(value >> (8 * i));
}

void flip(Random& random, std::string& bytes, std::size_t begin, std::size_t end) {
  char& byte = bytes[begin + below(random, end - begin)];
  byte = static_cast<char>(byte ^ (1 << below(random, 8)));
}

uint32_t sum_of(const std::string& file, const SummedPart& part) {
  if (part.sum + 4 == part.size) return lookup3(bytes_at(file, part.begin, part.sum));
  std::string block = file.substr(part.begin, part.size);
  std::memset(block.data() + part.sum, 0, 4);
  return lookup3(bytes_at(block, 0, block.size()));
}

bool sum_is_right(const std::string& file, const SummedPart& part) {
  if (part.begin + part.size > file.size()) return false;
  uint32_t stored = 0;
  std::memcpy(&stored, file.data() + part.begin + part.sum, sizeof stored);
  return sum_of(file, part) == stored;
}

void repair_sum(std::string& file, const SummedPart& part) {
  const uint32_t sum = sum_of(file, part);
  std::memcpy(file.data() + part.begin + part.sum, &sum, sizeof sum);
}

std::string repaired(Random& random, std::string bytes, const std::vector<SummedPart>& parts) {
  const std::size_t changes = 1 + below(random, 3);
  for (std::size_t c = 0; c < changes; ++c) {
    const SummedPart& part = parts[below(random, parts.size())];
    const std::size_t begin = part.begin + 4;  // its letters stay
    const std::size_t end = part.begin + std::max(part.sum, std::min<std::size_t>(part.size, part.sum + 256));
    if (random() % 3 == 0)
      flip(random, bytes, begin, end);
    else
      put_extreme(random, bytes, begin, end);
    repair_sum(bytes, part);
  }
  return bytes;
}

}  // namespace

std::vector<SummedPart> summed_parts(const std::string& file) {
  constexpr std::array<std::string_view, 12> kLetters{"OHDR", "OCHK", "BTHD", "BTLF", "BTIN", "FRHP",
                                                      "FHIB", "FAHD", "FADB", "EAHD", "EAIB", "EADB"};
  constexpr std::size_t kMost = 4096;
  std::vector<SummedPart> parts;
  if (file.starts_with("\x89HDF") && file.size() > 48)
    if (const SummedPart superblock{0, 48, 44}; sum_is_right(file, superblock)) parts.push_back(superblock);
  for (std::size_t at = 0; at + 8 < file.size(); ++at) {
    const std::string_view letters = std::string_view(file).substr(at, 4);
    if (letters == "FHDB") {
      for (std::size_t size = 512; size <= (std::size_t{1} << 16); size *= 2)
        if (const SummedPart part{at, size, 17}; sum_is_right(file, part)) parts.push_back(part);
    } else if (std::ranges::find(kLetters, letters) != kLetters.end()) {
      for (std::size_t size = 12; size <= std::min(kMost, file.size() - at); ++size)
        if (const SummedPart part{at, size, size - 4}; sum_is_right(file, part)) {
          parts.push_back(part);
          break;
        }
    }
  }
  return parts;
}

void repair_sums(std::string& file, const std::vector<SummedPart>& parts) {
  for (const SummedPart& part : parts)
    if (part.begin + part.size <= file.size()) repair_sum(file, part);
}

const char* mutation_name(Mutation mutation) {
  constexpr std::array<const char*, 9> kNames{"cut",  "overwrite", "insert",  "erase",   "splice",
                                              "swap", "flip",      "extreme", "repaired"};
  return kNames[static_cast<std::size_t>(mutation)];
}

Mutated mutate(const std::string& bytes, const std::string& other, const std::vector<SummedPart>& parts,
               uint64_t seed) {
  Random random(seed * 0x9E3779B97F4A7C15 + 1);
  if (!parts.empty() && random() % 2 == 0) return {Mutation::repaired, repaired(random, bytes, parts)};
  const auto mutation = static_cast<Mutation>(below(random, 8));
  std::string out = bytes;
  const std::size_t at = below(random, bytes.size());
  switch (mutation) {
    case Mutation::cut:
      out.resize(at);
      break;
    case Mutation::overwrite: {
      const std::size_t length = some_length(random, bytes.size() - at);
      out.replace(at, length, random_bytes(random, length));
      break;
    }
    case Mutation::insert:
      out.insert(at, random_bytes(random, some_length(random, 1 << 14)));
      break;
    case Mutation::erase:
      out.erase(at, some_length(random, bytes.size() - at));
      break;
    case Mutation::splice:
      out = bytes.substr(0, at) +
            other.substr(random() % 2 == 0 ? std::min(at, other.size()) : below(random, other.size()));
      break;
    case Mutation::swap: {
      const std::size_t length = some_length(random, bytes.size() / 2);
      const std::size_t first = below(random, bytes.size() - length + 1);
      const std::size_t second = below(random, bytes.size() - length + 1);
      out.replace(first, length, bytes.substr(second, length));
      out.replace(second, length, bytes.substr(first, length));
      break;
    }
    case Mutation::flip:
      for (std::size_t n = 1 + below(random, 8); n > 0; --n) flip(random, out, 0, out.size());
      break;
    case Mutation::extreme:
    case Mutation::repaired: {  // near the beginning as often as anywhere
      const std::size_t end = random() % 2 == 0 ? out.size() : std::min<std::size_t>(out.size(), 512);
      for (std::size_t n = 1 + below(random, 3); n > 0; --n) put_extreme(random, out, 0, end);
      return {Mutation::extreme, std::move(out)};
    }
  }
  return {mutation, std::move(out)};
}

}  // namespace vit::test
