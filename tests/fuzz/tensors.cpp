// Files of weights of other programs.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <vector>

#include "tests/fuzz/input_file.h"
#include "tests/fuzz/target.h"
#include "tests/support/temp_dir.h"
#include "vit/io/npz.h"
#include "vit/io/safetensors.h"
#include "vit/io/safetensors_writer.h"
#include "vit/io/tensor_file.h"

namespace vit::fuzz {
namespace {

constexpr int64_t kMostElements = 1 << 20;

void read_all(const TensorFile& file) {
  const auto by_name = [](const TensorEntry& a, const TensorEntry& b) { return a.name < b.name; };
  expect(std::is_sorted(file.entries().begin(), file.entries().end(), by_name), "entries are in the order of names");
  for (const TensorEntry& entry : file.entries()) {
    expect(find_tensor(file, entry.name) == &entry, "a tensor is found by its name");
    int64_t count = 1;
    for (const int64_t size : entry.shape) count *= size;
    expect(count == entry.count, "the count is that of the shape");
    if (count > kMostElements) continue;
    std::vector<float> values(static_cast<std::size_t>(count));
    tolerate([&] { file.read(entry, values); });
  }
}

}  // namespace

void read_safetensors(Bytes bytes) {
  const InputFile input(bytes);
  tolerate([&] { open_tensor_file(input.path()); });
  read_all(*open_safetensors(input.path()));
}

void read_npz(Bytes bytes) {
  const InputFile input(bytes);
  tolerate([&] { open_tensor_file(input.path()); });
  read_all(*open_npz(input.path()));
}

/// The bytes are the index of a folder with two shards.
void read_tensor_index(Bytes bytes) {
  static const test::TempDir folder;
  static bool made = false;
  if (!made) {
    const auto zeros = [](std::size_t, std::span<float> out) { std::fill(out.begin(), out.end(), 0.0f); };
    write_safetensors(folder / "1.safetensors", {{"a", {1}}, {"b.c", {2}}}, zeros);
    write_safetensors(folder / "2.safetensors", {{"d", {}}}, zeros);
    made = true;
  }
  const std::filesystem::path index = folder / "model.safetensors.index.json";
  std::ofstream(index, std::ios::binary) << text_of(bytes);
  read_all(*open_tensor_file(folder.path()));
}

}  // namespace vit::fuzz
