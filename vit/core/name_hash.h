// A key from a name: Fowler, Noll and Vo's hash FNV-1a, the same on every machine and for ever.
#pragma once

#include <cstdint>
#include <string_view>
#include <type_traits>

namespace vit {

/// Of 32 or 64 bits; the one is no part of the other.
template <class Hash>
constexpr Hash name_hash(std::string_view name) {
  constexpr bool kWide = std::is_same_v<Hash, uint64_t>;
  static_assert(kWide || std::is_same_v<Hash, uint32_t>);
  constexpr auto kPrime = static_cast<Hash>(kWide ? 0x100000001B3u : 0x01000193u);
  auto hash = static_cast<Hash>(kWide ? 0xCBF29CE484222325u : 0x811C9DC5u);
  for (const char c : name) hash = (hash ^ static_cast<uint8_t>(c)) * kPrime;
  return hash;
}

}  // namespace vit
