// A graph as a file that ONNX's runtimes read: opset 17, IR version 8.
#pragma once

#include <filesystem>

#include "infer/export/onnx_graph.h"

namespace vit {

/// Whether this build has ONNX's library.
bool has_onnx();
/// Throws Error (usage) where it has not.
void need_onnx();

/// What one message of protobuf holds, less room for all but the constants.
inline constexpr int64_t kOnnxInlineBytes = (int64_t{1} << 31) - (int64_t{1} << 25);

/// The file for the constants beside `path`: "<name>.data" where they have more than `inline_bytes`, else empty.
std::filesystem::path onnx_data_file(const OnnxGraph& graph, const std::filesystem::path& path,
                                     int64_t inline_bytes = kOnnxInlineBytes);
/// Write that file, and the graph of `path`, by temporary name, sync and rename. The same graph gives the same bytes.
void write_onnx_data(const OnnxGraph& graph, const std::filesystem::path& path);
void write_onnx(const OnnxGraph& graph, const std::filesystem::path& path, int64_t inline_bytes = kOnnxInlineBytes);

}  // namespace vit
