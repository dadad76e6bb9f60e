#include "vit/kernels/dense_column.h"

#include <gtest/gtest.h>

#include "tests/support/guarded_matrix.h"
#include "tests/support/tolerance.h"

namespace vit {
namespace {

using test::expect_close;
using test::GuardedMatrix;
using test::kExact;

TEST(DenseColumn, IsForColumnsOfWiderMatrices) {
  const auto gaps = [](int64_t rows, int64_t cols, int64_t gap) {
    const GuardedMatrix m(rows, cols, gap);
    return has_gaps(m.view());
  };
  for (const int64_t gap : {1, 2, 7}) {
    EXPECT_TRUE(gaps(2, 1, gap)) << gap;
    EXPECT_TRUE(gaps(9, 1, gap)) << gap;
    EXPECT_FALSE(gaps(1, 1, gap)) << gap;
    EXPECT_FALSE(gaps(9, 2, gap)) << gap;
  }
  EXPECT_FALSE(gaps(9, 1, 0));
}

TEST(DenseColumn, HasTheElementsSideBySide) {
  const auto wide = GuardedMatrix::random(5, 1, 1, 1);
  DenseColumn column(wide.view());
  EXPECT_FALSE(has_gaps(column.view()));
  EXPECT_EQ(column.view().stride(), 1);
  GuardedMatrix back(5, 1, 3);
  column.write_to(back.view());
  expect_close(back.values(), wide.values(), kExact);
  EXPECT_TRUE(back.intact());
}

}  // namespace
}  // namespace vit
