#include "vit/io/safetensors_writer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "tests/support/caught_error.h"
#include "tests/support/temp_dir.h"
#include "vit/core/error.h"
#include "vit/io/atomic_file.h"
#include "vit/io/tensor_file.h"

namespace vit {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using test::holds;
using test::TempDir;

const std::vector<WrittenTensor> kTensors = {{"b", {2}}, {"a", {1, 3}}, {"c", {}}};

const auto fill = [](std::size_t index, std::span<float> out) {
  const std::vector<std::vector<float>> values = {{0.5f, -1.5f}, {1, 2, 3}, {4}};
  ASSERT_EQ(out.size(), values[index].size());
  std::copy(values[index].begin(), values[index].end(), out.begin());
};

void write(const fs::path& path, const std::vector<WrittenTensor>& tensors, const SafetensorsOptions& options = {}) {
  write_safetensors(
      path, tensors, [](std::size_t, std::span<float> out) { std::fill(out.begin(), out.end(), 1.0f); }, options);
}

TEST(SafetensorsWriter, WritesTheBytesOfPythonsPackage) {
  const TempDir dir;
  write_safetensors(dir / "a", kTensors, fill, {.metadata = {{"format", "pt"}}});
  EXPECT_EQ(read_file(dir / "a", 1 << 20),
            read_file(fs::path(VIT_SOURCE_DIR) / "tests/io/tensor_files/written.safetensors", 1 << 20));
}

TEST(SafetensorsWriter, KeepsTheGivenOrder) {
  const TempDir dir;
  std::vector<std::size_t> order;
  write_safetensors(dir / "a", kTensors,
                    [&](std::size_t index, std::span<float> out) {
                      order.push_back(index);
                      fill(index, out);
                    },
                    {.order = TensorOrder::given});
  EXPECT_EQ(order, (std::vector<std::size_t>{0, 1, 2}));
  const std::string bytes = read_file(dir / "a", 1 << 20);
  EXPECT_EQ(static_cast<unsigned char>(bytes[0]) % 8, 0);
  EXPECT_LT(bytes.find("\"b\""), bytes.find("\"a\""));
  const auto file = open_tensor_file(dir / "a");
  std::vector<float> values(3);
  file->read(*find_tensor(*file, "a"), values);
  EXPECT_EQ(values, (std::vector<float>{1, 2, 3}));
}

TEST(SafetensorsWriter, RefusesNamesAndShapesThatNoReaderTakes) {
  const TempDir dir;
  const auto text_of = [&](const std::vector<WrittenTensor>& tensors) {
    return error_of(ErrorKind::usage, [&] { write(dir / "a", tensors); });
  };
  EXPECT_TRUE(holds(text_of({{"x", {1}}, {"x", {2}}}), {"two tensors are called x"}));
  EXPECT_TRUE(holds(text_of({{"__metadata__", {1}}}), {"__metadata__"}));
  EXPECT_TRUE(holds(text_of({{"", {1}}}), {"cannot be called"}));
  EXPECT_TRUE(holds(text_of({{"\xff", {1}}}), {"UTF-8"}));
  EXPECT_TRUE(holds(text_of({{"x", {-1}}}), {"x", "shape"}));
  EXPECT_TRUE(holds(text_of({{"x", {int64_t{1} << 40, int64_t{1} << 40}}}), {"x", "shape"}));
  EXPECT_FALSE(fs::exists(dir / "a"));
}

TEST(SafetensorsWriter, LeavesNothingBehindWhenTheCallerThrows) {
  const TempDir dir;
  write(dir / "a", {{"old", {1}}});
  const auto throwing = [](std::size_t, std::span<float>) { fail(ErrorKind::data, "no such weight"); };
  EXPECT_EQ(error_of(ErrorKind::data, [&] { write_safetensors(dir / "a", kTensors, throwing); }), "no such weight");
  EXPECT_EQ(std::distance(fs::directory_iterator(dir.path()), {}), 1);
  EXPECT_NE(find_tensor(*open_tensor_file(dir / "a"), "old"), nullptr);
}

}  // namespace
}  // namespace vit
