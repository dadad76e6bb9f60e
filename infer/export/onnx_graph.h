// A network as a graph of ONNX's operators, in structs of our own; onnx_file.h writes it.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace vit {

struct OnnxAttribute {
  std::string name;
  std::variant<int64_t, float, std::vector<int64_t>> value;
};

struct OnnxNode {
  std::string op;    // of ONNX's own domain
  std::string name;  // "blocks.0.attn/MatMul_2", after the parameters that it is about
  std::vector<std::string> inputs, outputs;
  std::vector<OnnxAttribute> attributes;
};

/// Floats, which are made when they are written, or 64-bit integers.
struct OnnxConstant {
  std::string name;
  std::vector<int64_t> shape;
  std::function<void(std::span<float> values)> fill = {};  // null: the integers
  std::vector<int64_t> integers = {};

  int64_t count() const {
    int64_t n = 1;
    for (const int64_t size : shape) n *= size;
    return n;
  }
};

/// What goes in or comes out: floats [batch, sizes...], any batch.
struct OnnxPort {
  std::string name;
  std::vector<int64_t> sizes;
  std::string help;
};

struct OnnxGraph {
  std::string name;
  std::string producer_version;
  std::vector<OnnxNode> nodes;  // each behind those that it reads
  std::vector<OnnxConstant> constants;
  OnnxPort input, output;
  std::vector<std::pair<std::string, std::string>> metadata;
};

}  // namespace vit
