// Files that Python's packages wrote (make_tensor_files.py), to the last bit.
#include "vit/io/tensor_file.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/caught_error.h"
#include "tests/support/temp_dir.h"
#include "vit/core/error.h"
#include "vit/io/tensor_values.h"

namespace vit {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using test::holds;
using test::TempDir;

fs::path golden(const std::string& name) { return fs::path(VIT_SOURCE_DIR) / "tests/io/tensor_files" / name; }

const TensorEntry& entry_of(const TensorFile& file, const std::string& name) {
  const TensorEntry* entry = find_tensor(file, name);
  if (entry == nullptr) throw std::runtime_error("no " + name);
  return *entry;
}

std::vector<float> read(const TensorFile& file, const std::string& name) {
  const TensorEntry& entry = entry_of(file, name);
  std::vector<float> values(static_cast<std::size_t>(entry.count), -7);
  file.read(entry, values);
  return values;
}

std::vector<uint32_t> bits_of(const std::vector<float>& values) {
  std::vector<uint32_t> bits;
  for (const float v : values) bits.push_back(std::bit_cast<uint32_t>(v));
  return bits;
}

/// Each NAME.f32 holds what the package made of NAME.
void expect_pairs(const TensorFile& file, int wanted) {
  int pairs = 0;
  for (const TensorEntry& entry : file.entries()) {
    const TensorEntry* single = find_tensor(file, entry.name + ".f32");
    if (single == nullptr) continue;
    ++pairs;
    EXPECT_EQ(entry.shape, single->shape) << entry.name;
    EXPECT_EQ(bits_of(read(file, entry.name)), bits_of(read(file, single->name))) << entry.name;
  }
  EXPECT_EQ(pairs, wanted);
}

TEST(TensorFile, ReadsEachTypeOfSafetensorsAsPythonDoes) {
  const auto file = open_tensor_file(golden("types.safetensors"));
  expect_pairs(*file, 7);
  EXPECT_EQ(entry_of(*file, "blocks.0.attn.qkv.weight").shape, (std::vector<int64_t>{6, 2}));
  EXPECT_EQ(entry_of(*file, "double").type, "F64");
  EXPECT_EQ(entry_of(*file, "half").type, "F16");
  EXPECT_EQ(entry_of(*file, "brain").type, "BF16");
  EXPECT_EQ(entry_of(*file, "scalar").shape, std::vector<int64_t>{});
  EXPECT_EQ(read(*file, "scalar"), std::vector<float>{2.5f});
  EXPECT_EQ(entry_of(*file, "empty").shape, (std::vector<int64_t>{0, 3}));
  EXPECT_EQ(read(*file, "größe/x y"), std::vector<float>{1.0f});
  EXPECT_EQ(file->metadata(), (std::map<std::string, std::string>{{"format", "pt"}}));
  EXPECT_EQ(file->path(), golden("types.safetensors"));
  EXPECT_EQ(find_tensor(*file, "blocks.0"), nullptr);
}

TEST(TensorFile, ListsWhatItDoesNotReadAndNamesItsType) {
  const auto file = open_tensor_file(golden("types.safetensors"));
  for (const auto& [name, type] : {std::pair("steps", "I64"), {"mask", "BOOL"}, {"tiny", "F8_E4M3"}}) {
    const TensorEntry entry = entry_of(*file, name);
    EXPECT_EQ(entry.type, type);
    std::vector<float> values(static_cast<std::size_t>(entry.count));
    const std::string text = error_of(ErrorKind::data, [&] { file->read(entry, values); });
    EXPECT_TRUE(holds(text, {name, "types.safetensors", type}));
  }
  const auto npz = open_tensor_file(golden("stored.npz"));
  for (const auto& [name, type] : {std::pair("steps", "<i8"), {"swapped", ">f4"}, {"name", "<U2"}}) {
    EXPECT_EQ(entry_of(*npz, name).type, type);
    EXPECT_TRUE(holds(error_of(ErrorKind::data, [&] { read(*npz, name); }), {name, "stored.npz", type}));
  }
}

TEST(TensorFile, ReadsNpzAsNumpyDoes) {
  const auto stored = open_tensor_file(golden("stored.npz"));
  expect_pairs(*stored, 6);
  EXPECT_EQ(entry_of(*stored, "brain").type, "<V2");
  EXPECT_EQ(entry_of(*stored, "scalar").shape, std::vector<int64_t>{});
  EXPECT_EQ(entry_of(*stored, "turned").shape, (std::vector<int64_t>{2, 3, 4}));
  EXPECT_EQ(read(*stored, "turned")[5], 5.0f);  // 0, 1, 2 ... along the last dimension
  EXPECT_EQ(read(*stored, "head/kernel").back(), 23.0f);
  EXPECT_TRUE(stored->metadata().empty());
  expect_pairs(*open_tensor_file(golden("deflated.npz")), 3);
}

TEST(TensorFile, ReadsEachVersionOfTheNpyHeader) {
  const auto file = open_tensor_file(golden("versions.npz"));
  for (const char* name : {"v1", "v2", "v3", "python2"}) {
    EXPECT_EQ(entry_of(*file, name).shape, (std::vector<int64_t>{2, 3})) << name;
    EXPECT_EQ(read(*file, name), (std::vector<float>{0, 1, 2, 3, 4, 5})) << name;
  }
}

TEST(TensorFile, JoinsTheShardsOfAFolder) {
  for (const char* name : {"sharded", "sharded/model.safetensors.index.json"}) {
    const auto file = open_tensor_file(golden(name));
    ASSERT_EQ(file->entries().size(), 5u);
    for (int i = 0; i < 5; ++i) {
      const std::string tensor = "blocks." + std::to_string(i) + ".weight";
      EXPECT_EQ(file->entries()[static_cast<std::size_t>(i)].name, tensor);
      EXPECT_EQ(read(*file, tensor), std::vector<float>(16, static_cast<float>(i)));
    }
    EXPECT_EQ(file->metadata().at("format"), "pt");
    EXPECT_EQ(file->path(), golden("sharded/model.safetensors.index.json"));
  }
}

TEST(TensorFile, TakesTheModelOfAFolder) {
  const TempDir dir;
  EXPECT_TRUE(holds(error_of(ErrorKind::data, [&] { open_tensor_file(dir.path()); }),
                    {dir.path().c_str(), "holds no model.safetensors"}));
  fs::copy_file(golden("legacy.pt"), dir / "pytorch_model.bin");
  EXPECT_TRUE(
      holds(error_of(ErrorKind::data, [&] { open_tensor_file(dir.path()); }), {"pytorch_model.bin", "python3"}));
  fs::copy_file(golden("written.safetensors"), dir / "open_clip_model.safetensors");
  EXPECT_EQ(open_tensor_file(dir.path())->entries().size(), 3u);
  fs::copy_file(golden("types.safetensors"), dir / "model.safetensors");
  EXPECT_EQ(open_tensor_file(dir.path())->path(), dir / "model.safetensors");
}

TEST(TensorFile, IsKnownByItsContent) {
  const TempDir dir;
  fs::copy_file(golden("stored.npz"), dir / "a.safetensors");
  EXPECT_NE(find_tensor(*open_tensor_file(dir / "a.safetensors"), "head/kernel"), nullptr);
  // Headers whose lengths are the letters by which a zip and a pickle begin.
  for (const std::size_t length : {std::size_t{0x4B50}, std::size_t{0x0280}}) {
    std::string header = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
    header.resize(length, ' ');
    const std::string start{static_cast<char>(length & 255), static_cast<char>(length >> 8), 0, 0, 0, 0, 0, 0};
    std::ofstream(dir / "b.bin", std::ios::binary) << start << header << std::string("\0\0\x80\x3f", 4);
    EXPECT_EQ(read(*open_tensor_file(dir / "b.bin"), "a"), std::vector<float>{1.0f});
  }
}

TEST(TensorFile, TellsHowACheckpointOfTorchIsConverted) {
  for (const char* name : {"zip.pth", "legacy.pt"})
    EXPECT_TRUE(holds(error_of(ErrorKind::data, [&] { open_tensor_file(golden(name)); }),
                      {name, "a pickle of PyTorch", "python3 -c \"", "torch.load(sys.argv[1]", "weights_only=True",
                       "save_file(", ".safetensors'"}));
  EXPECT_TRUE(holds(error_of(ErrorKind::data, [&] { open_tensor_file(golden("script.pt")); }),
                    {"TorchScript", "python3 -c \"", "torch.jit.load(sys.argv[1]", "script.safetensors'"}));
}

TEST(TensorFile, TellsWhatOtherFilesAre) {
  const TempDir dir;
  const auto text_of = [&](const std::string& bytes) {
    std::ofstream(dir / "a", std::ios::binary) << bytes;
    return error_of(ErrorKind::data, [&] { open_tensor_file(dir / "a"); });
  };
  EXPECT_TRUE(holds(text_of("\x89HDF\r\n\x1a\n and more"), {"HDF5"}));
  EXPECT_TRUE(holds(text_of("\x93NUMPY\x01"), {"one array"}));
  EXPECT_TRUE(holds(text_of("GGUF\x03"), {"GGUF"}));
  EXPECT_TRUE(holds(text_of("version https://git-lfs.github.com/spec/v1\n"), {"Git LFS", "git lfs pull"}));
  EXPECT_TRUE(holds(text_of("hello\nworld"), {"neither safetensors nor .npz", "hello\\x0Awo"}));
  EXPECT_TRUE(holds(text_of(""), {"neither"}));
  EXPECT_TRUE(holds(error_of(ErrorKind::io, [&] { open_tensor_file(dir / "none"); }), {"cannot open", "none"}));
}

TEST(TensorFile, ManyThreadsReadAtOnce) {
  for (const char* name : {"deflated.npz", "types.safetensors"}) {
    const auto file = open_tensor_file(golden(name));
    const std::vector<uint32_t> wanted = bits_of(read(*file, "half.f32"));
    std::vector<std::thread> threads;
    std::vector<int> equal(8);
    for (int& same : equal)
      threads.emplace_back([&] {
        for (int i = 0; i < 20; ++i) same += bits_of(read(*file, "half")) == wanted ? 1 : 0;
      });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(equal, std::vector<int>(8, 20)) << name;
  }
}

TEST(TensorValues, HalvesAreWhatIeee754Says) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const int exponent = static_cast<int>(bits >> 10 & 31);
    const double mantissa = bits & 1023;
    const double sign = (bits & 0x8000) != 0 ? -1 : 1;
    const float value = half_to_float(static_cast<uint16_t>(bits));
    if (exponent == 31 && mantissa != 0) {
      EXPECT_TRUE(std::isnan(value)) << bits;
    } else {
      const double size = exponent == 31  ? HUGE_VAL
                          : exponent == 0 ? std::ldexp(mantissa, -24)
                                          : std::ldexp(1024 + mantissa, exponent - 25);
      EXPECT_EQ(value, static_cast<float>(sign * size)) << bits;
      EXPECT_EQ(std::signbit(value), sign < 0) << bits;
    }
  }
}

TEST(TensorValues, ProductsOfShapesDoNotOverflow) {
  const auto count = [](std::vector<int64_t> shape, int64_t bits) { return count_elements(shape, bits); };
  EXPECT_EQ(count({}, 32), 1);
  EXPECT_EQ(count({3, 0, 5}, 32), 0);
  EXPECT_EQ(count({int64_t{1} << 31, int64_t{1} << 26}, 32), int64_t{1} << 57);
  EXPECT_EQ(count({int64_t{1} << 31, int64_t{1} << 27}, 32), std::nullopt);
  EXPECT_EQ(count({int64_t{1} << 32, int64_t{1} << 32}, 8), std::nullopt);
  EXPECT_EQ(count({int64_t{1} << 32, int64_t{1} << 32, 0}, 8), std::nullopt);
}

}  // namespace
}  // namespace vit
