// Activation memory, planned before the first step and reused in every step.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include "vit/core/buffer.h"
#include "vit/core/matrix.h"
#include "vit/core/tensor_view.h"

namespace vit {

/// Hands out consecutive 64-byte aligned pieces of one block. An arena without a block only counts, and its
/// views are null: the same layout code runs once to plan (`used`) and then to place. One thread uses an arena.
class Arena {
 public:
  Arena() = default;  // counts only
  explicit Arena(int64_t bytes) : block_(bytes), placing_(true) {}

  /// A contiguous view of `shape`. Throws Error when the plan was too small.
  template <class T>
  TensorView<T> take(std::initializer_list<int64_t> shape) {
    int64_t count = 1;
    for (int64_t n : shape) count *= n;
    const auto align = static_cast<int64_t>(kAlignment);
    const int64_t bytes = (count * static_cast<int64_t>(sizeof(T)) + align - 1) / align * align;
    const int64_t begin = used_;
    used_ += bytes;
    most_ = std::max(most_, used_);
    if (!placing_) return TensorView<T>(nullptr, shape);
    if (used_ > block_.size())
      fail(ErrorKind::internal, "[arena] plan of ", block_.size(), " bytes is too small, needs ", used_);
    return TensorView<T>(reinterpret_cast<T*>(block_.data() + begin), shape);
  }

  /// A contiguous matrix with an element type chosen at run time.
  Matrix take(DType type, int64_t rows, int64_t cols) {
    const TensorView<std::byte> bytes = take<std::byte>({rows * cols * dtype_bytes(type)});
    return {bytes.data(), type, rows, cols, cols};
  }

  /// Bytes taken so far, and so many are enough.
  int64_t used() const { return most_; }

 private:
  AlignedBuffer<std::byte> block_;
  int64_t used_ = 0;
  int64_t most_ = 0;
  bool placing_ = false;

  friend class Overlay;
};

/// Places that several owners use in turn: what is taken after `next()` begins where the first one began. At the end
/// of its life the arena goes on behind the longest.
class Overlay {
 public:
  explicit Overlay(Arena& arena) : arena_(arena), begin_(arena.used_), end_(arena.used_) {}
  ~Overlay() { arena_.used_ = std::max(end_, arena_.used_); }
  Overlay(const Overlay&) = delete;
  Overlay& operator=(const Overlay&) = delete;

  void next() {
    end_ = std::max(end_, arena_.used_);
    arena_.used_ = begin_;
  }

 private:
  Arena& arena_;
  int64_t begin_, end_;
};

/// A workspace in memory of its own: `plan(arena)` runs once to count and once to place.
template <class Workspace>
struct Planned {
  Arena arena;
  Workspace workspace;

  template <class Plan>
  explicit Planned(Plan plan) {
    Arena counting;
    plan(counting);
    arena = Arena(counting.used());
    workspace = plan(arena);
  }
};

}  // namespace vit
