// The inner loops of resampling, one version a kind of processor; all give the same integers.
#pragma once

#include <cstdint>
#include <iterator>
#include <span>
#include <vector>

#include "vit/core/cpu.h"

namespace vit {

constexpr int kWeightBits = 22;  // 32 - 8 bits of a pixel - 2 for sign and the overshoot of bicubic

/// Output i is the sum of weight(i)[t] * source[first[i] + t] for t < count[i].
struct Taps {
  int64_t stride = 0;  // of weights; a multiple of 4, and what follows the count is zero: taps are read in fours
  std::vector<int32_t> first, count, weights;

  int64_t size() const { return std::ssize(first); }
  const int32_t* weight(int64_t i) const { return weights.data() + i * stride; }
};

constexpr int64_t kOverread = 16;

/// Rows of bytes, `stride` apart.
template <class Byte>
struct Rows {
  Byte* first = nullptr;
  int64_t stride = 0;

  Byte* operator[](int64_t y) const { return first + y * stride; }
};

struct Passes {
  /// `count` rows of RGB into taps.size() pixels each; may read kOverread bytes behind each row's end.
  void (*resample_rows)(Rows<const uint8_t> source, int64_t count, const Taps& taps, Rows<uint8_t> out);
  /// out[x] = weighted sum of row[x] over `count` rows, `stride` bytes apart.
  void (*blend_rows)(const uint8_t* rows, int64_t stride, const int32_t* weight, int32_t count, std::span<uint8_t> out);
};

/// The fastest that `isa` allows.
Passes passes_for(Isa isa);

}  // namespace vit
