// Names and C++ types of the element types.
#pragma once

#include <cstdint>

#include "vit/io/hdf5.h"

namespace vit::h5 {

const char* type_name(Type type);
template <class T>
constexpr Type type_of();
template <>
constexpr Type type_of<uint8_t>() {
  return Type::u8;
}
template <>
constexpr Type type_of<int8_t>() {
  return Type::i8;
}
template <>
constexpr Type type_of<int32_t>() {
  return Type::i32;
}
template <>
constexpr Type type_of<int64_t>() {
  return Type::i64;
}
template <>
constexpr Type type_of<float>() {
  return Type::f32;
}

}  // namespace vit::h5
