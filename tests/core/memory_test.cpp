#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>
#include <vector>

#include "vit/core/arena.h"
#include "vit/core/dtype.h"

namespace vit {
namespace {

TEST(AlignedBuffer, IsAlignedZeroedAndChecked) {
  const AlignedBuffer<float> buffer(1000);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.data()) % kAlignment, 0u);
  for (float x : buffer.span()) EXPECT_EQ(x, 0);
  EXPECT_THROW(AlignedBuffer<float>(-1), Error);
  EXPECT_THROW(AlignedBuffer<float>(INT64_MAX), Error);
}

TEST(Arena, PlanAndPlacingAgree) {
  const auto layout = [](Arena& arena) {
    arena.take<float>({3, 5});
    arena.take<double>({100});
    return arena.take<float>({7});
  };
  Arena plan;
  EXPECT_EQ(layout(plan).data(), nullptr);
  EXPECT_EQ(plan.used(), 64 + 832 + 64);
  Arena arena(plan.used());
  const TensorView<float> view = layout(arena);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(view.data()) % kAlignment, 0u);
  EXPECT_EQ(arena.used(), plan.used());
  EXPECT_THROW(arena.take<float>({1000}), Error);
}

TEST(TensorView, IndexSliceColumns) {
  std::vector<int> values(24);
  std::iota(values.begin(), values.end(), 0);
  const TensorView<int> v(values.data(), {2, 3, 4});
  EXPECT_EQ(v(1, 2, 3), 23);
  EXPECT_EQ(v[1](2, 3), 23);
  EXPECT_EQ(v[1].slice(1, 2)(0, 0), 16);
  EXPECT_EQ(v.size(), 24);
  const TensorView<int> right = v[0].columns(2, 2);
  EXPECT_EQ(right(2, 1), 11);
  EXPECT_FALSE(right.contiguous());
  EXPECT_TRUE(v[0].contiguous());
  EXPECT_EQ(TensorView<int>::matrix(values.data(), 3, 2, 4)(2, 1), 9);
}

TEST(DType, NamesRoundTrip) {
  for (DType dtype : {DType::f32, DType::bf16, DType::i8}) EXPECT_EQ(parse_dtype(dtype_name(dtype)), dtype);
  EXPECT_THROW(parse_dtype("fp16"), Error);
}

}  // namespace
}  // namespace vit
