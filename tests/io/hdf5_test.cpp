#include "vit/io/hdf5.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "tests/support/temp_dir.h"
#include "vit/core/error.h"
#include "vit/io/atomic_file.h"

namespace vit::h5 {
namespace {

using test::TempDir;

template <class T>
std::vector<T> counted(std::size_t count) {
  std::vector<T> values(count);
  std::iota(values.begin(), values.end(), T{1});
  return values;
}

/// The text of the Error that `action` throws; fails the test when it throws none.
template <class Action>
std::string error_of(const Action& action, ErrorKind kind) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

TEST(Hdf5File, KeepsNumbersOfEachType) {
  const TempDir dir;
  const std::vector<float> floats{0.0f, -1.5f, 3.4028235e38f, std::numeric_limits<float>::infinity()};
  const std::vector<int32_t> ints{std::numeric_limits<int32_t>::min(), -1, 7};
  const std::vector<int64_t> longs{std::numeric_limits<int64_t>::max(), -2};
  const std::vector<uint8_t> bytes = counted<uint8_t>(24);
  {
    File file = File::create(dir / "a.h5");
    file.write("/deep/er/floats", {2, 2}, std::span(floats));
    file.write("/deep/ints", {3}, std::span(ints));
    file.write("/longs", {2, 1}, std::span(longs));
    file.write("/bytes", {2, 3, 4}, std::span(bytes));
    file.close();
  }
  const File file = File::open(dir / "a.h5");
  EXPECT_EQ(file.info("/deep/er/floats").type, Type::f32);
  EXPECT_EQ(file.info("/deep/er/floats").shape, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(file.info("/bytes").shape, (std::vector<int64_t>{2, 3, 4}));
  EXPECT_EQ(file.info("/deep/ints").type, Type::i32);
  EXPECT_EQ(file.info("/longs").type, Type::i64);
  std::vector<float> floats_read(4);
  std::vector<int32_t> ints_read(3);
  std::vector<int64_t> longs_read(2);
  std::vector<uint8_t> bytes_read(24);
  file.read("/deep/er/floats", std::span(floats_read));
  file.read("/deep/ints", std::span(ints_read));
  file.read("/longs", std::span(longs_read));
  file.read("/bytes", std::span(bytes_read));
  EXPECT_EQ(floats_read, floats);
  EXPECT_EQ(ints_read, ints);
  EXPECT_EQ(longs_read, longs);
  EXPECT_EQ(bytes_read, bytes);
  EXPECT_EQ(file.children("/"), (std::vector<std::string>{"bytes", "deep", "longs"}));
  EXPECT_EQ(file.children("/deep"), (std::vector<std::string>{"er", "ints"}));
  EXPECT_TRUE(file.exists("/deep/er"));
  EXPECT_FALSE(file.exists("/deep/no/where"));
}

TEST(Hdf5File, KeepsDataOfManyChunksAndNone) {
  const TempDir dir;
  const std::vector<float> large = counted<float>(700'001);
  const std::vector<float> wide = counted<float>(2 * 300'000);
  {
    File file = File::create(dir / "a.h5");
    file.write("/large", {700'001}, std::span(large));
    file.write("/wide", {1, 2, 300'000}, std::span(wide));
    file.write("/none", {0, 5}, std::span<const float>());
    file.close();
  }
  const File file = File::open(dir / "a.h5");
  std::vector<float> read(large.size());
  file.read("/large", std::span(read));
  EXPECT_EQ(read, large);
  read.resize(wide.size());
  file.read("/wide", std::span(read));
  EXPECT_EQ(read, wide);
  EXPECT_EQ(file.info("/none").shape, (std::vector<int64_t>{0, 5}));
  file.read("/none", std::span<float>());
}

TEST(Hdf5File, KeepsTextsAndAttributes) {
  const TempDir dir;
  const std::vector<std::string> names{"cat", "", "Schäferhund", std::string(300, 'x')};
  const std::string json = "{\"a\": \"" + std::string(200'000, 'b') + "\"}";
  {
    File file = File::create(dir / "a.h5");
    file.write_text("/config", json);
    file.write_text("/empty", "");
    file.write_texts("/names", names);
    file.write_texts("/group/none", {});
    file.write_attribute("/", "format", "vit");
    file.write_attribute("/group", "empty", "");
    file.close();
  }
  const File file = File::open(dir / "a.h5");
  EXPECT_EQ(file.read_text("/config"), json);
  EXPECT_EQ(file.read_text("/empty"), "");
  EXPECT_EQ(file.read_texts("/names"), names);
  EXPECT_TRUE(file.read_texts("/group/none").empty());
  EXPECT_EQ(file.read_attribute("/", "format"), "vit");
  EXPECT_EQ(file.read_attribute("/group", "empty"), "");
  EXPECT_TRUE(file.has_attribute("/", "format"));
  EXPECT_FALSE(file.has_attribute("/", "version"));
}

TEST(Hdf5File, GrowsByRows) {
  const TempDir dir;
  const std::vector<uint8_t> data = counted<uint8_t>(11 * 6);
  {
    File file = File::create(dir / "a.h5");
    file.create_growing("/train/images", {2, 3}, 4);
    file.append_rows("/train/images", 3, std::span(data).first(18));
    file.append_rows("/train/images", 0, {});
    file.append_rows("/train/images", 8, std::span(data).subspan(18));
    file.close();
  }
  const File file = File::open(dir / "a.h5");
  EXPECT_EQ(file.info("/train/images").shape, (std::vector<int64_t>{11, 2, 3}));
  std::vector<uint8_t> rows(5 * 6);
  file.read_rows("/train/images", 2, 5, rows);
  EXPECT_TRUE(std::equal(rows.begin(), rows.end(), data.begin() + 12));
  error_of([&] { file.read_rows("/train/images", 7, 5, rows); }, ErrorKind::data);
  error_of([&] { file.read_rows("/train/images", -1, 5, rows); }, ErrorKind::data);
  error_of([&] { file.read_rows("/train/images", 0, 4, rows); }, ErrorKind::data);
}

TEST(Hdf5File, SameContentGivesSameBytes) {
  const TempDir dir;
  const auto make = [&](const char* name) {
    File file = File::create(dir / name);
    file.create_growing("/g/images", {5}, 7);
    for (int i = 0; i < 9; ++i) file.append_rows("/g/images", 2, counted<uint8_t>(10));
    file.write("/g/labels", {4}, std::span<const int32_t>(counted<int32_t>(4)));
    file.write_texts("/names", {"a", "bb"});
    file.write_attribute("/g", "checksum", "0123");
    file.close();
    return read_file(dir / name, 1 << 24);
  };
  const std::string first = make("a.h5");
  EXPECT_FALSE(first.empty());
  EXPECT_TRUE(first == make("b.h5"));
}

TEST(Hdf5File, ErrorsNameFileObjectAndFault) {
  const TempDir dir;
  const std::string path = (dir / "a.h5").string();
  {
    File file = File::create(path);
    file.write("/x", {2}, std::span<const int32_t>(counted<int32_t>(2)));
    file.write_text("/text", "t");
    file.close();
  }
  const File file = File::open(path);
  std::vector<float> floats(2);
  std::vector<int32_t> ints(3);
  EXPECT_EQ(error_of([&] { file.read("/x", std::span(floats)); }, ErrorKind::data),
            "[hdf5] /x in " + path + " needs elements of type float32, has int32");
  EXPECT_EQ(error_of([&] { file.read("/x", std::span(ints)); }, ErrorKind::data),
            "[hdf5] /x in " + path + " needs 3 elements, has 2");
  EXPECT_EQ(error_of([&] { file.info("/y"); }, ErrorKind::data), "[hdf5] /y in " + path + " is missing");
  EXPECT_EQ(error_of([&] { file.info("/"); }, ErrorKind::data), "[hdf5] / in " + path + " is not a dataset");
  EXPECT_EQ(error_of([&] { file.children("/x"); }, ErrorKind::data), "[hdf5] /x in " + path + " is not a group");
  EXPECT_EQ(error_of([&] { file.read_text("/x"); }, ErrorKind::data),
            "[hdf5] /x in " + path + " needs text of fixed length, has another type");
  EXPECT_EQ(error_of([&] { file.read_attribute("/x", "a"); }, ErrorKind::data),
            "[hdf5] attribute 'a' of /x in " + path + " is missing");
  error_of([&] { file.info("/text"); }, ErrorKind::data);
}

TEST(Hdf5File, RefusesWhatIsNoHdf5File) {
  const TempDir dir;
  write_file_atomically(dir / "text", std::string(5000, 'x'));
  write_file_atomically(dir / "empty", "");
  EXPECT_NE(error_of([&] { File::open(dir / "text"); }, ErrorKind::data).find("file signature not found"),
            std::string::npos);
  error_of([&] { File::open(dir / "empty"); }, ErrorKind::data);
  EXPECT_NE(error_of([&] { File::open(dir / "absent"); }, ErrorKind::io).find("No such file or directory"),
            std::string::npos);
  error_of([&] { File::open(dir.path()); }, ErrorKind::io);
  ASSERT_EQ(mkfifo((dir / "pipe").c_str(), 0600), 0);
  EXPECT_NE(error_of([&] { File::open(dir / "pipe"); }, ErrorKind::io).find("not a regular file"), std::string::npos);
  error_of([&] { File::create(dir / "no/folder.h5"); }, ErrorKind::io);
}

TEST(Hdf5File, RefusesMisuseWhenWriting) {
  const TempDir dir;
  File file = File::create(dir / "a.h5");
  const std::vector<int32_t> two{1, 2};
  file.write("/x", {2}, std::span<const int32_t>(two));
  EXPECT_NE(error_of([&] { file.write("/x", {2}, std::span<const int32_t>(two)); }, ErrorKind::io).find("/x"),
            std::string::npos);
  error_of([&] { file.write("/y", {3}, std::span<const int32_t>(two)); }, ErrorKind::internal);
  error_of([&] { file.write("relative", {2}, std::span<const int32_t>(two)); }, ErrorKind::internal);
  error_of([&] { file.append_rows("/x", 1, {}); }, ErrorKind::internal);
  error_of([&] { file.write_text("/zero", std::string("a\0b", 3)); }, ErrorKind::usage);
  error_of([&] { file.write_text("/long", std::string(kMaxStringBytes + 1, 'x')); }, ErrorKind::usage);
  error_of([&] { file.write_attribute("/", "long", std::string(70'000, 'x')); }, ErrorKind::usage);
  file.close();
  error_of([&] { File::create(dir / "b.h5").info("/x"); }, ErrorKind::usage);
  File reading = File::open(dir / "a.h5");
  error_of([&] { reading.write("/z", {2}, std::span<const int32_t>(two)); }, ErrorKind::usage);
}

}  // namespace
}  // namespace vit::h5
