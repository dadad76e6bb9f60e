// Owned memory, aligned for the widest vectors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <type_traits>

#include "vit/core/error.h"

namespace vit {

inline constexpr std::size_t kAlignment = 64;

/// `count` elements at a 64-byte boundary, zeroed unless asked for otherwise; move only. Throws Error when the memory
/// is not to be had.
template <class T>
class AlignedBuffer {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(int64_t count) : AlignedBuffer(for_overwrite(count)) {
    if (count > 0) std::memset(static_cast<void*>(data()), 0, static_cast<std::size_t>(count) * sizeof(T));
  }

  /// Not zeroed: for what is about to be written as a whole.
  static AlignedBuffer for_overwrite(int64_t count) {
    AlignedBuffer buffer;
    if (count < 0 || static_cast<uint64_t>(count) > (uint64_t{1} << 48) / sizeof(T))
      fail(ErrorKind::internal, "[buffer] cannot hold ", count, " elements");
    if (count == 0) return buffer;
    const std::size_t bytes = (static_cast<std::size_t>(count) * sizeof(T) + kAlignment - 1) / kAlignment * kAlignment;
    void* p = std::aligned_alloc(kAlignment, bytes);
    if (p == nullptr) fail(ErrorKind::io, "[buffer] no memory for ", bytes >> 20, " MiB");
    buffer.data_.reset(static_cast<T*>(p));
    buffer.count_ = count;
    return buffer;
  }

  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  int64_t size() const { return count_; }
  std::span<T> span() { return {data(), static_cast<std::size_t>(count_)}; }
  std::span<const T> span() const { return {data(), static_cast<std::size_t>(count_)}; }
  T& operator[](int64_t i) { return data_.get()[i]; }
  const T& operator[](int64_t i) const { return data_.get()[i]; }

 private:
  struct Free {
    void operator()(T* p) const { std::free(p); }
  };
  std::unique_ptr<T, Free> data_;
  int64_t count_ = 0;
};

}  // namespace vit
