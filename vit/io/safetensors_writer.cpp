#include "vit/io/safetensors_writer.h"

#include <fcntl.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <string_view>

#include "vit/core/error.h"
#include "vit/core/text.h"
#include "vit/io/atomic_file.h"
#include "vit/io/descriptor.h"
#include "vit/io/tensor_values.h"

namespace vit {
namespace {

constexpr int64_t kFloatBits = 32;

std::size_t count_of(const WrittenTensor& tensor) {
  const bool whole = std::all_of(tensor.shape.begin(), tensor.shape.end(), [](int64_t size) { return size >= 0; });
  const auto count = whole ? count_elements(tensor.shape, kFloatBits) : std::nullopt;
  if (!count) fail(ErrorKind::usage, "[safetensors] ", printable(tensor.name), " has a shape that no tensor has");
  return static_cast<std::size_t>(*count);
}

void check_names(const std::vector<WrittenTensor>& tensors) {
  std::set<std::string_view> names;
  for (const WrittenTensor& tensor : tensors) {
    if (tensor.name.empty() || tensor.name == "__metadata__")
      fail(ErrorKind::usage, "[safetensors] a tensor cannot be called '", tensor.name, "'");
    if (!names.insert(tensor.name).second)
      fail(ErrorKind::usage, "[safetensors] two tensors are called ", printable(tensor.name));
  }
}

std::vector<std::size_t> order_of(const std::vector<WrittenTensor>& tensors, TensorOrder order) {
  std::vector<std::size_t> indices(tensors.size());
  std::iota(indices.begin(), indices.end(), std::size_t{0});
  if (order == TensorOrder::by_name)
    std::sort(indices.begin(), indices.end(),
              [&](std::size_t a, std::size_t b) { return tensors[a].name < tensors[b].name; });
  return indices;
}

/// Length and text, filled up so that the data begins at a multiple of eight.
std::string header_of(const std::vector<WrittenTensor>& tensors, const std::vector<std::size_t>& order,
                      const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::size_t at = 0;
  for (const std::size_t i : order) {
    const std::size_t end = at + count_of(tensors[i]) * sizeof(float);
    header[tensors[i].name] = {{"dtype", "F32"}, {"shape", tensors[i].shape}, {"data_offsets", {at, end}}};
    at = end;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::json::type_error&) {
    fail(ErrorKind::usage, "[safetensors] the names of tensors and metadata need to be UTF-8");
  }
  text.append((8 - text.size() % 8) % 8, ' ');
  std::string length;
  for (int shift = 0; shift < 64; shift += 8) length += static_cast<char>(text.size() >> shift & 255);
  return length + text;
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, const std::vector<WrittenTensor>& tensors,
                       FunctionRef<void(std::size_t, std::span<float>)> values, const SafetensorsOptions& options) {
  check_names(tensors);
  const std::vector<std::size_t> order = order_of(tensors, options.order);
  const std::string header = header_of(tensors, order, options.metadata);
  write_atomically(path, [&](const std::filesystem::path& temporary) {
    Descriptor file(::open(temporary.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
    if (file.get() < 0) fail_system("open", temporary);
    if (!write_fully(file.get(), header)) fail_system("write", path);
    std::vector<float> room;
    for (const std::size_t i : order) {
      room.resize(count_of(tensors[i]));
      values(i, room);
      if (!write_fully(file.get(), {reinterpret_cast<const char*>(room.data()), room.size() * sizeof(float)}))
        fail_system("write", path);
    }
    if (file.close() != 0) fail_system("write", path);
  });
}

}  // namespace vit
