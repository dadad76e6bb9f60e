// HDF5 files as other programs may write them, made with the library itself.
#include <gtest/gtest.h>
#include <hdf5.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "tests/support/temp_dir.h"
#include "vit/core/error.h"
#include "vit/core/parallel.h"
#include "vit/io/atomic_file.h"
#include "vit/io/hdf5.h"

namespace vit {
namespace {

namespace fs = std::filesystem;
using test::TempDir;

constexpr hsize_t kRows = 50;
constexpr hsize_t kRowBytes = 6;

std::vector<uint8_t> data() {
  std::vector<uint8_t> bytes(kRows * kRowBytes);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i * i + i);
  return bytes;
}

/// A file with one dataset "/x" of 50 x 6 bytes; the test says how it is stored.
void write_file(const fs::path& path, void (*store)(hid_t creation, const fs::path& path), hsize_t user_block = 0,
                hid_t type = H5T_STD_U8LE) {
  const hid_t file_creation = H5Pcreate(H5P_FILE_CREATE);
  if (user_block > 0) H5Pset_userblock(file_creation, user_block);
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, file_creation, H5P_DEFAULT);
  const hsize_t shape[] = {kRows, kRowBytes};
  const hid_t space = H5Screate_simple(2, shape, nullptr);
  const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
  store(creation, path);
  const hid_t dataset = H5Dcreate2(file, "x", type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
  EXPECT_GE(dataset, 0);
  if (H5Pget_layout(creation) != H5D_VIRTUAL) {
    EXPECT_GE(H5Dwrite(dataset, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, data().data()), 0);
  }
  H5Dclose(dataset);
  H5Pclose(creation);
  H5Sclose(space);
  H5Fclose(file);
  H5Pclose(file_creation);
}

void chunked(hid_t creation, hsize_t rows, hsize_t columns) {
  const hsize_t chunk[] = {rows, columns};
  H5Pset_chunk(creation, 2, chunk);
}

struct Storage {
  const char* name;
  void (*store)(hid_t creation, const fs::path& path);
  hsize_t user_block;
  bool direct;  // read beside the library
};

class Hdf5Storage : public testing::TestWithParam<Storage> {};
INSTANTIATE_TEST_SUITE_P(
    , Hdf5Storage,
    testing::Values(
        Storage{"Contiguous", [](hid_t, const fs::path&) {}, 0, false},
        Storage{"Compact", [](hid_t list, const fs::path&) { H5Pset_layout(list, H5D_COMPACT); }, 0, false},
        Storage{"Chunks", [](hid_t list, const fs::path&) { chunked(list, 7, kRowBytes); }, 0, false},
        Storage{"Deflate", [](hid_t list, const fs::path&) { chunked(list, 7, kRowBytes), H5Pset_deflate(list, 6); }, 0,
                false},
        Storage{"ShuffleDeflateSums",
                [](hid_t list, const fs::path&) {
                  chunked(list, 7, kRowBytes);
                  H5Pset_shuffle(list);
                  H5Pset_deflate(list, 6);
                  H5Pset_fletcher32(list);
                },
                0, false},
        Storage{"Sums", [](hid_t list, const fs::path&) { chunked(list, 7, kRowBytes), H5Pset_fletcher32(list); }, 0,
                true},
        Storage{"SumsOfPartRows", [](hid_t list, const fs::path&) { chunked(list, 7, 4), H5Pset_fletcher32(list); }, 0,
                false},
        Storage{"SumsAfterUserBlock",
                [](hid_t list, const fs::path&) { chunked(list, 7, kRowBytes), H5Pset_fletcher32(list); }, 512, true}),
    [](const auto& test_case) { return test_case.param.name; });

TEST_P(Hdf5Storage, IsReadInAllWays) {
  const TempDir dir;
  write_file(dir / "a.h5", GetParam().store, GetParam().user_block);
  const std::vector<uint8_t> expected = data();
  std::vector<uint8_t> got(expected.size());
  h5::File::open(dir / "a.h5").read("/x", std::span(got));
  EXPECT_EQ(got, expected);
  const h5::ChunkReader reader(dir / "a.h5", "/x");
  EXPECT_EQ(reader.rows_per_chunk() > 0, GetParam().direct);
  std::ranges::fill(got, uint8_t{0});
  set_thread_count(4);
  parallel_for(kRows, 1, [&](int64_t row, int64_t) {
    reader.read_row(row, std::span(got).subspan(static_cast<std::size_t>(row) * kRowBytes, kRowBytes));
  });
  set_thread_count(0);
  EXPECT_EQ(got, expected);
}

/// The text of the Error (data).
template <class Action>
std::string error_of(const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

void expect_refused(const fs::path& path, const char* text) {
  std::vector<uint8_t> got(kRows * kRowBytes);
  EXPECT_NE(error_of([&] { h5::File::open(path).read("/x", std::span(got)); }).find(text), std::string::npos);
  EXPECT_NE(error_of([&] { h5::ChunkReader(path, "/x"); }).find(text), std::string::npos);
}

TEST(Hdf5Foreign, DataInOtherFilesIsRefused) {
  const TempDir dir;
  write_file(dir / "a.h5", [](hid_t list, const fs::path& path) {
    H5Pset_external(list, (path.string() + ".raw").c_str(), 0, H5F_UNLIMITED);
  });
  expect_refused(dir / "a.h5", "other files");
  write_file(dir / "b.h5", [](hid_t list, const fs::path& path) {
    const hsize_t shape[] = {kRows, kRowBytes};
    const hid_t space = H5Screate_simple(2, shape, nullptr);
    H5Pset_virtual(list, space, (path.parent_path() / "a.h5").c_str(), "x", space);
    H5Sclose(space);
  });
  expect_refused(dir / "b.h5", "layout");
}

TEST(Hdf5Foreign, LinksAreNotFollowed) {
  const TempDir dir;
  write_file(dir / "a.h5", [](hid_t, const fs::path&) {});
  const hid_t file = H5Fcreate((dir / "b.h5").c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  H5Lcreate_external((dir / "a.h5").c_str(), "/x", file, "x", H5P_DEFAULT, H5P_DEFAULT);
  H5Lcreate_soft("/", file, "loop", H5P_DEFAULT, H5P_DEFAULT);
  H5Fclose(file);
  expect_refused(dir / "b.h5", "missing");
  EXPECT_FALSE(h5::File::open(dir / "b.h5").exists("/loop/loop/x"));
}

TEST(Hdf5Foreign, OtherElementTypesAreRefused) {
  const TempDir dir;
  for (hid_t type : {H5T_STD_U16LE, H5T_STD_I8LE, H5T_STD_U64BE, H5T_IEEE_F64LE}) {
    write_file(
        dir / "a.h5", [](hid_t, const fs::path&) {}, 0, type);
    expect_refused(dir / "a.h5", "type");
  }
}

TEST(Hdf5Foreign, SizesBeyondTheFileAreRefusedBeforeMemoryIsTaken) {
  const TempDir dir;
  const auto write_empty = [&](hsize_t rows, hsize_t columns) {  // no chunk is stored
    const hid_t file = H5Fcreate((dir / "a.h5").c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hsize_t shape[] = {rows, columns};
    const hid_t space = H5Screate_simple(2, shape, nullptr);
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    chunked(creation, 1 << 10, 1 << 10);
    H5Pset_deflate(creation, 1);
    H5Dclose(H5Dcreate2(file, "x", H5T_STD_U8LE, space, H5P_DEFAULT, creation, H5P_DEFAULT));
    H5Pclose(creation);
    H5Sclose(space);
    H5Fclose(file);
  };
  write_empty(1 << 20, 1 << 16);
  expect_refused(dir / "a.h5", "holds only 0");
  EXPECT_NE(error_of([&] { h5::File::open(dir / "a.h5").info("/x"); }).find("/x"), std::string::npos);
  write_empty(hsize_t{1} << 40, hsize_t{1} << 40);  // more than 64 bits
  expect_refused(dir / "a.h5", "size that no file holds");
}

TEST(Hdf5Foreign, PartsThatWereNeverWrittenAreRefused) {
  const TempDir dir;
  const hid_t file = H5Fcreate((dir / "a.h5").c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hsize_t shape[] = {kRows, kRowBytes};
  const hsize_t start[] = {0, 0};
  const hsize_t size[] = {20, kRowBytes};
  const hid_t space = H5Screate_simple(2, shape, nullptr);
  const hid_t memory = H5Screate_simple(2, size, nullptr);
  H5Sselect_hyperslab(space, H5S_SELECT_SET, start, nullptr, size, nullptr);
  const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
  chunked(creation, 10, kRowBytes);
  H5Pset_deflate(creation, 1);
  const hid_t dataset = H5Dcreate2(file, "x", H5T_STD_U8LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
  H5Dwrite(dataset, H5T_NATIVE_UINT8, memory, space, H5P_DEFAULT, data().data());
  H5Dclose(dataset);
  H5Pclose(creation);
  H5Sclose(memory);
  H5Sclose(space);
  H5Fclose(file);
  expect_refused(dir / "a.h5", "never written");
}

/// The first chunk of "/x" as it is stored.
std::vector<uint8_t> stored_chunk(const fs::path& path) {
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  const hid_t dataset = H5Dopen2(file, "x", H5P_DEFAULT);
  const hsize_t first[] = {0, 0};
  hsize_t size = 0;
  uint32_t skipped = 0;
  EXPECT_GE(H5Dget_chunk_storage_size(dataset, first, &size), 0);
  std::vector<uint8_t> bytes(size);
  EXPECT_GE(H5Dread_chunk(dataset, H5P_DEFAULT, first, &skipped, bytes.data()), 0);
  H5Dclose(dataset);
  H5Fclose(file);
  return bytes;
}

void store_chunk(const fs::path& path, const std::vector<uint8_t>& bytes) {
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  const hid_t dataset = H5Dopen2(file, "x", H5P_DEFAULT);
  const hsize_t first[] = {0, 0};
  EXPECT_GE(H5Dwrite_chunk(dataset, H5P_DEFAULT, 0, first, bytes.size(), bytes.data()), 0);
  H5Dclose(dataset);
  H5Fclose(file);
}

// No checksum of HDF5 stands beside the chunk, so that nothing else notices.
TEST(Hdf5Foreign, DamagedDeflateIsRefused) {
  const TempDir dir;
  const auto write = [&](const char* name, void (*store)(hid_t, const fs::path&)) {
    write_file(dir / name, store);
    return stored_chunk(dir / name);
  };
  const auto good = write("a.h5", [](hid_t list, const fs::path&) {
    chunked(list, 40, kRowBytes);
    H5Pset_deflate(list, 6);
  });
  const auto fewer_rows = write("b.h5", [](hid_t list, const fs::path&) {
    chunked(list, 39, kRowBytes);
    H5Pset_deflate(list, 6);
  });
  const auto more_rows = write("c.h5", [](hid_t list, const fs::path&) {
    chunked(list, 41, kRowBytes);
    H5Pset_deflate(list, 6);
  });
  std::vector<uint8_t> flipped = good, cut = good, longer = good;
  flipped[good.size() / 2] ^= 1;
  cut.pop_back();
  longer.push_back(0);
  for (const auto& bytes : {flipped, cut, longer, fewer_rows, more_rows}) {
    store_chunk(dir / "a.h5", bytes);
    std::vector<uint8_t> got(kRows * kRowBytes);
    const h5::File file = h5::File::open(dir / "a.h5");
    EXPECT_NE(error_of([&] { file.read("/x", std::span(got)); }).find("deflate"), std::string::npos);
    const h5::ChunkReader reader(dir / "a.h5", "/x");
    EXPECT_NE(error_of([&] { reader.read_row(0, std::span(got).first(kRowBytes)); }).find("deflate"),
              std::string::npos);
  }
  store_chunk(dir / "a.h5", good);
  std::vector<uint8_t> got(kRows * kRowBytes);
  h5::File::open(dir / "a.h5").read("/x", std::span(got));
  EXPECT_EQ(got, data());
}

// All kinds of groups and chunk indexes, small and large.
TEST(Hdf5Foreign, EveryFormatOfTheLibraryIsRead) {
  const TempDir dir;
  for (const bool newest : {false, true}) {
    for (const hsize_t count : {hsize_t{1}, hsize_t{3}, hsize_t{40}, hsize_t{3000}}) {
      for (const int growing : {0, 1, 2}) {  // dimensions without a limit
        SCOPED_TRACE(concat(newest ? "newest, " : "earliest, ", count, " rows, ", growing, " growing"));
        const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
        H5Pset_libver_bounds(access, newest ? H5F_LIBVER_LATEST : H5F_LIBVER_EARLIEST, H5F_LIBVER_LATEST);
        const hid_t file = H5Fcreate((dir / "a.h5").c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access);
        const hsize_t shape[] = {count, 5};
        const hsize_t limit[] = {growing > 0 ? H5S_UNLIMITED : count, growing > 1 ? H5S_UNLIMITED : 8};
        const hsize_t chunk[] = {1, 2};
        const hid_t space = H5Screate_simple(2, shape, limit);
        const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
        H5Pset_chunk(creation, 2, chunk);
        if (count != 3) H5Pset_fletcher32(creation);
        std::vector<int32_t> values(static_cast<std::size_t>(count * 5));
        for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<int32_t>(i * 77);
        const int names = count == 40 ? 200 : 2;
        for (int i = 0; i < names; ++i) {
          const std::string name = concat("x", i);
          const hid_t dataset =
              H5Dcreate2(file, name.c_str(), H5T_STD_I32LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
          H5Dwrite(dataset, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
          H5Dclose(dataset);
        }
        H5Pclose(creation);
        H5Sclose(space);
        H5Fclose(file);
        H5Pclose(access);
        const h5::File opened = h5::File::open(dir / "a.h5");
        EXPECT_EQ(opened.children("/").size(), static_cast<std::size_t>(names));
        std::vector<int32_t> got(values.size());
        opened.read(concat("/x", names - 1), std::span(got));
        EXPECT_EQ(got, values);
      }
    }
  }
}

TEST(Hdf5Foreign, TextOfVariableLengthIsRefused) {
  const TempDir dir;
  const hid_t file = H5Fcreate((dir / "a.h5").c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, H5T_VARIABLE);
  const hid_t space = H5Screate(H5S_SCALAR);
  const hid_t dataset = H5Dcreate2(file, "x", type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t attribute = H5Acreate2(file, "a", type, space, H5P_DEFAULT, H5P_DEFAULT);
  const char* text = "text";
  H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, &text);
  H5Awrite(attribute, type, &text);
  H5Aclose(attribute);
  H5Dclose(dataset);
  H5Sclose(space);
  H5Tclose(type);
  H5Fclose(file);
  const h5::File opened = h5::File::open(dir / "a.h5");
  EXPECT_NE(error_of([&] { opened.read_text("/x"); }).find("fixed length"), std::string::npos);
  EXPECT_NE(error_of([&] { opened.read_attribute("/", "a"); }).find("fixed length"), std::string::npos);
}

// Times would make two files of the same content differ.
TEST(Hdf5Foreign, OurObjectsCarryNoTimes) {
  const TempDir dir;
  {
    h5::File file = h5::File::create(dir / "a.h5");
    file.write_text("/group/text", "x");
    file.close();
  }
  const hid_t file = H5Fopen((dir / "a.h5").c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  const hid_t group = H5Gopen2(file, "group", H5P_DEFAULT);
  const hid_t root = H5Gopen2(file, "/", H5P_DEFAULT);
  const hid_t dataset = H5Dopen2(file, "group/text", H5P_DEFAULT);
  for (const hid_t list : {H5Gget_create_plist(group), H5Gget_create_plist(root), H5Dget_create_plist(dataset)}) {
    hbool_t times = true;
    EXPECT_GE(H5Pget_obj_track_times(list, &times), 0);
    EXPECT_FALSE(times);
    H5Pclose(list);
  }
  H5Dclose(dataset);
  H5Gclose(root);
  H5Gclose(group);
  H5Fclose(file);
}

// What h5py writes for numpy's S and for a scalar of fixed length.
TEST(Hdf5Foreign, OtherTextOfFixedLengthIsRead) {
  const TempDir dir;
  const hid_t file = H5Fcreate((dir / "a.h5").c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t type = H5Tcopy(H5T_C_S1);  // ends in a zero byte
  H5Tset_size(type, 6);
  const hid_t scalar = H5Screate(H5S_SCALAR);
  const hid_t dataset = H5Dcreate2(file, "x", type, scalar, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, "text\0?");
  H5Dclose(dataset);
  H5Sclose(scalar);
  H5Tclose(type);
  H5Fclose(file);
  EXPECT_EQ(h5::File::open(dir / "a.h5").read_text("/x"), "text");
}

}  // namespace
}  // namespace vit
