// Published models: configurations and names of tensors of other programs, and lists of labels.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "infer/import_model.h"
#include "infer/labels.h"
#include "tests/fuzz/input_file.h"
#include "tests/fuzz/parts.h"
#include "tests/fuzz/target.h"
#include "tests/support/temp_dir.h"
#include "vit/core/json_strict.h"

namespace vit::fuzz {
namespace {

namespace fs = std::filesystem;

void write(const fs::path& path, const std::string& content) { std::ofstream(path, std::ios::binary) << content; }

/// Zeros for all tensors of a header of safetensors, as far as they are few.
std::size_t data_bytes(const std::string& header) {
  constexpr uint64_t kMost = 1 << 20;
  uint64_t bytes = 0;
  tolerate([&] {
    const nlohmann::json json = parse_strict_json(header, "header", "input");
    for (const auto& item : json.items())
      if (item.value().is_object() && item.value().contains("data_offsets"))
        for (const auto& offset : item.value()["data_offsets"])
          if (offset.is_number_unsigned()) bytes = std::max(bytes, offset.get<uint64_t>());
  });
  return static_cast<std::size_t>(std::min(bytes, kMost));
}

std::string safetensors(const std::string& header) {
  std::string length;
  for (int shift = 0; shift < 64; shift += 8) length += static_cast<char>(header.size() >> shift & 255);
  return length + header + std::string(data_bytes(header), '\0');
}

}  // namespace

/// config.json, preprocessor_config.json (may be empty) and the header of the weights, whose values are zeros.
void read_import(Bytes bytes) {
  static const test::TempDir folder;
  const std::vector<std::string> files = files_of(bytes, 3);
  const fs::path preprocess = folder / "preprocessor_config.json";
  write(folder / "config.json", files[0]);
  if (files[1].empty()) {
    fs::remove(preprocess);
  } else {
    write(preprocess, files[1]);
  }
  write(folder / "model.safetensors", safetensors(files[2]));
  const ImportedModel imported = import_model(folder.path());
  const auto count = static_cast<int>(imported.open.model.layout.all().size());
  for (int i = 0; i < count; ++i) tolerate([&] { imported.open.weights(i); });
}

void read_labels(Bytes bytes) {
  const InputFile input(bytes);
  const Labels labels = labels_of_file(input.path().string(), 3);
  expect(labels.names.size() == 3, "there is a name for each class");
}

}  // namespace vit::fuzz
