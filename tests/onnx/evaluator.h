// Runs the operators of ONNX that our graphs have, as the standard words them, one number after the other: what a
// runtime would answer, without a runtime.
#pragma once

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace vit::test {

struct OnnxTensor {
  std::vector<int64_t> shape;
  std::vector<float> values;
  std::vector<int64_t> integers;  // of shapes and indices
};

/// The values of an initialiser that lies in the file itself.
OnnxTensor constant_of(const onnx::TensorProto& tensor);
/// All values by name after running the graph on `input`. Throws std::runtime_error for an operator that it lacks and
/// for shapes that do not fit.
std::map<std::string, OnnxTensor> run_onnx(const onnx::GraphProto& graph, const OnnxTensor& input);

}  // namespace vit::test
