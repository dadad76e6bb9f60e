#include "preprocess/resample_passes.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "vit/core/rng.h"

namespace vit {
namespace {

constexpr Isa kAll[] = {Isa::baseline, Isa::avx2, Isa::avx512, Isa::avx512_bf16};

int32_t random_weight(RandomStream& random) { return static_cast<int32_t>(random.below(1 << 22)) - (1 << 20); }

/// Weighted sums in 64 bits, rounded and clipped as the header says.
uint8_t expected(int64_t sum) {
  return static_cast<uint8_t>(std::clamp<int64_t>((sum + (1 << (kWeightBits - 1))) >> kWeightBits, 0, 255));
}

TEST(ResamplePasses, RowsAreTheRoundedSumsOnEveryProcessor) {
  RandomStream random(3, RandomPurpose::test);
  Taps taps;
  taps.stride = 8;
  for (int32_t i = 0; i < 40; ++i) {
    taps.count.push_back(1 + i % 7);
    taps.first.push_back(static_cast<int32_t>(random.below(static_cast<uint64_t>(21 - taps.count.back()))));
    for (int32_t t = 0; t < 8; ++t) taps.weights.push_back(t < taps.count.back() ? random_weight(random) / 4 : 0);
  }
  constexpr int64_t kRows = 7, kStride = 20 * 3 + 5, kOutStride = 40 * 3 + 1;
  std::vector<uint8_t> rows(kRows * kStride + kOverread);
  for (uint8_t& byte : rows) byte = static_cast<uint8_t>(random.below(256));
  for (const Isa isa : kAll) {
    if (isa > active_isa()) continue;
    for (int64_t count = 1; count <= kRows; ++count) {
      std::vector<uint8_t> out(kRows * kOutStride, 99);
      passes_for(isa).resample_rows({rows.data(), kStride}, count, taps, {out.data(), kOutStride});
      for (int64_t y = 0; y < count; ++y) {
        EXPECT_EQ(out[static_cast<size_t>((y + 1) * kOutStride - 1)], 99) << isa_name(isa);
        for (size_t i = 0; i < 120; ++i) {
          int64_t sum = 0;
          for (int32_t t = 0; t < taps.count[i / 3]; ++t) {
            sum += int64_t{taps.weights[i / 3 * 8 + static_cast<size_t>(t)]} *
                   rows[static_cast<size_t>(y * kStride) + static_cast<size_t>(taps.first[i / 3] + t) * 3 + i % 3];
          }
          ASSERT_EQ(out[static_cast<size_t>(y * kOutStride) + i], expected(sum)) << isa_name(isa) << " at " << i;
        }
      }
    }
  }
}

TEST(ResamplePasses, BlendsAreTheRoundedSumsOnEveryProcessor) {
  RandomStream random(4, RandomPurpose::test);
  constexpr int64_t kStride = 205;
  std::vector<uint8_t> rows(9 * kStride);
  for (uint8_t& byte : rows) byte = static_cast<uint8_t>(random.below(256));
  std::vector<int32_t> weight(9);
  for (int32_t& w : weight) w = random_weight(random) / 4;
  for (const Isa isa : kAll) {
    if (isa > active_isa()) continue;
    for (const size_t width : {1u, 63u, 64u, 65u, 128u, 200u}) {
      for (const int32_t count : {1, 2, 9}) {
        std::vector<uint8_t> out(width + 1, 99);
        passes_for(isa).blend_rows(rows.data(), kStride, weight.data(), count, {out.data(), width});
        EXPECT_EQ(out.back(), 99);
        for (size_t x = 0; x < width; ++x) {
          int64_t sum = 0;
          for (int32_t t = 0; t < count; ++t) {
            sum += int64_t{weight[static_cast<size_t>(t)]} * rows[static_cast<size_t>(t * kStride) + x];
          }
          ASSERT_EQ(out[x], expected(sum)) << isa_name(isa) << " at " << x << ", " << count << " rows";
        }
      }
    }
  }
}

}  // namespace
}  // namespace vit
