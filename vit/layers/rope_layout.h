// The kinds of rotary positions, by the words of files and command lines.
#pragma once

#include "vit/core/words.h"

namespace vit {

enum class RopeLayout {
  none,
  axial,   // half of a head's pairs by the row, half by the column, adjacent pairs: EVA-02, timm's "cat"
  dinov3,  // the same with places in -1 .. 1 and pairs of the head's halves
  mixed,   // learned frequencies for rows and columns of each block, head and pair: RoPE-ViT
};
template <>
inline constexpr Word<RopeLayout> kWords<RopeLayout>[] = {{RopeLayout::none, "none"},
                                                          {RopeLayout::axial, "axial"},
                                                          {RopeLayout::dinov3, "dinov3"},
                                                          {RopeLayout::mixed, "mixed"}};

/// By what the first half of a head's axial pairs turns: the row ("ij") or the column ("xy").
enum class RopeOrder { row_first, column_first };
template <>
inline constexpr Word<RopeOrder> kWords<RopeOrder>[] = {{RopeOrder::row_first, "ij"}, {RopeOrder::column_first, "xy"}};

}  // namespace vit
