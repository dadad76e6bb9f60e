// Files of weights that are wrong in one way each: the message names the tensor or the field.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "tests/support/caught_error.h"
#include "tests/support/source_files.h"
#include "tests/support/temp_dir.h"
#include "vit/core/error.h"
#include "vit/io/safetensors.h"
#include "vit/io/tensor_file.h"

namespace vit {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using test::FileList;
using test::holds;
using test::read_bytes;
using test::TempDir;
using test::write_bytes;

std::string little_endian(uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i) & 255);
  return text;
}

std::string safetensors(const std::string& header, std::size_t data_bytes) {
  return little_endian(header.size(), 8) + header + std::string(data_bytes, '\0');
}

/// One tensor of the name a.b.
std::string one(const std::string& fields) { return "{\"a.b\":{" + fields + "}}"; }

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

class TensorDamage : public ::testing::Test {
 protected:
  std::string fault_of(const std::string& bytes, const std::string& name = "x.safetensors") {
    write_bytes(dir_ / name, bytes);
    return error_of(ErrorKind::data, [&] { open_tensor_file(dir_ / name); });
  }
  std::string header_fault(const std::string& header, std::size_t data_bytes = 4) {
    return fault_of(safetensors(header, data_bytes));
  }
  std::string fault_of_entry(const std::string& npy, const std::string& entry = "a.npy") {
    test::write_archive(dir_ / "x.zip", {{entry, npy}});
    return error_of(ErrorKind::data, [&] { open_tensor_file(dir_ / "x.zip"); });
  }
  std::string fault_of_folder(const std::string& index, const FileList& shards, ErrorKind kind = ErrorKind::data) {
    fs::remove_all(dir_ / "folder");
    test::write_folder(dir_ / "folder", shards);
    write_bytes(dir_ / "folder/model.safetensors.index.json", index);
    return error_of(kind, [&] { open_tensor_file(dir_ / "folder"); });
  }

  TempDir dir_;
};

TEST_F(TensorDamage, LengthOfTheHeader) {
  const std::string good = safetensors(one(R"("dtype":"F32","shape":[1],"data_offsets":[0,4])"), 4);
  write_bytes(dir_ / "good.safetensors", good);
  EXPECT_NO_THROW(open_tensor_file(dir_ / "good.safetensors"));
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT_TRUE(holds(fault_of(good.substr(0, size)), {"x.safetensors"})) << size;
  EXPECT_TRUE(holds(fault_of(little_endian(1000, 8) + "{}"), {"claims 1000 bytes", "has 10"}));
  EXPECT_TRUE(holds(fault_of(little_endian(~uint64_t{0}, 8) + "{}"), {"claims 18446744073709551615 bytes"}));
  EXPECT_TRUE(holds(fault_of(little_endian(~uint64_t{7}, 8) + "{}"), {"claims"}));
  EXPECT_TRUE(holds(fault_of(little_endian(0, 8) + "{}"), {"is not JSON"}));
  const std::string large = "{" + std::string(kMostSafetensorsHeader, ' ') + "}";
  EXPECT_TRUE(holds(header_fault(large), {"at most 16777216"}));
}

TEST_F(TensorDamage, TheHeaderAsJson) {
  EXPECT_TRUE(holds(header_fault("[1]"), {"needs a JSON object"}));
  EXPECT_TRUE(holds(header_fault("{\"a.b\": "), {"is not JSON", "a.b"}));
  EXPECT_TRUE(holds(header_fault(std::string(100000, '[')), {"nests too deep"}));
  EXPECT_TRUE(holds(header_fault("{\"a.b\":" + std::string(100, '[') + std::string(100, ']') + "}"), {"too deep"}));
  const std::string tensor = R"("a.b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  EXPECT_TRUE(holds(header_fault("{" + tensor + "," + tensor + "}"), {"'a.b'", "twice"}));
  EXPECT_TRUE(holds(header_fault(one(R"("dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4])")),
                    {"a.b/dtype", "twice"}));
  EXPECT_TRUE(holds(header_fault(R"({"a.b":3})"), {"a.b", "needs a JSON object"}));
  EXPECT_TRUE(holds(header_fault(R"({"__metadata__":{"format":1}})", 0), {"__metadata__", "format", "needs a string"}));
  EXPECT_TRUE(holds(header_fault(R"({"__metadata__":"pt"})", 0), {"__metadata__", "needs a JSON object"}));
  EXPECT_TRUE(holds(header_fault("{\"a\\nb\":3}"), {"a\\x0Ab"}));
}

TEST_F(TensorDamage, FieldsOfATensor) {
  const struct {
    const char* fields;
    std::initializer_list<const char*> words;
  } cases[] = {
      {R"("shape":[1],"data_offsets":[0,4])", {"a.b", "dtype", "missing"}},
      {R"("dtype":"F32","data_offsets":[0,4])", {"a.b", "shape", "missing"}},
      {R"("dtype":"F32","shape":[1])", {"a.b", "data_offsets", "missing"}},
      {R"("dtype":"F32","shape":[1],"data_offsets":[0,4],"size":4)", {"a.b", "unknown field", "size"}},
      {R"("dtype":"F33","shape":[1],"data_offsets":[0,4])", {"a.b", "dtype", "F33", "unknown"}},
      {R"("dtype":32,"shape":[1],"data_offsets":[0,4])", {"a.b", "dtype", "needs a string"}},
      {R"("dtype":"F32","shape":1,"data_offsets":[0,4])", {"a.b", "shape", "needs a list"}},
      {R"("dtype":"F32","shape":[-1],"data_offsets":[0,4])", {"a.b", "shape", "whole numbers", "-1"}},
      {R"("dtype":"F32","shape":[1.0],"data_offsets":[0,4])", {"a.b", "shape", "whole numbers", "1.0"}},
      {R"("dtype":"F32","shape":["1"],"data_offsets":[0,4])", {"a.b", "shape", "whole numbers"}},
      {R"("dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,4])", {"a.b", "shape", "whole numbers"}},
      {R"("dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,4])", {"a.b", "shape", "whole numbers"}},
      {R"("dtype":"F32","shape":[1e400],"data_offsets":[0,4])", {"a.b/shape", "beyond all numbers"}},
      {R"("dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4])", {"a.b", "shape", "more elements"}},
      {R"("dtype":"F32","shape":[4611686018427387905],"data_offsets":[0,4])", {"a.b", "shape", "more elements"}},
      {R"("dtype":"F32","shape":[2],"data_offsets":[0,4])", {"a.b", "shape [2]", "needs 8 bytes", "has 4"}},
      {R"("dtype":"F16","shape":[3],"data_offsets":[0,4])", {"a.b", "needs 6 bytes"}},
      {R"("dtype":"F4","shape":[9],"data_offsets":[0,4])", {"a.b", "needs 5 bytes"}},
      {R"("dtype":"F32","shape":[1],"data_offsets":[0])", {"a.b", "data_offsets", "two numbers"}},
      {R"("dtype":"F32","shape":[1],"data_offsets":[0,4,8])", {"a.b", "data_offsets", "at most 2"}},
      {R"("dtype":"F32","shape":[1],"data_offsets":[4,0])", {"a.b", "data_offsets", "reversed"}},
      {R"("dtype":"F32","shape":[1],"data_offsets":[-4,0])", {"a.b", "data_offsets", "whole numbers"}},
      {R"("dtype":"F32","shape":[1],"data_offsets":[0.5,4.5])", {"a.b", "data_offsets", "whole numbers"}},
      {R"("dtype":"F32","shape":[1],"data_offsets":[9223372036854775803,9223372036854775807])",
       {"a.b", "data_offsets", "beyond the end"}},
      {R"("dtype":"F32","shape":[1],"data_offsets":[4,8])", {"a.b", "data_offsets", "beyond the end"}},
  };
  for (const auto& c : cases) EXPECT_TRUE(holds(header_fault(one(c.fields)), c.words)) << c.fields;
  std::string dimensions = "1";
  for (int i = 0; i < 32; ++i) dimensions += ",1";
  EXPECT_TRUE(holds(header_fault(one("\"dtype\":\"F32\",\"shape\":[" + dimensions + "],\"data_offsets\":[0,4]")),
                    {"a.b", "shape", "at most 32"}));
}

TEST_F(TensorDamage, TensorsCoverTheDataOnce) {
  const auto two = [](const std::string& second) {
    return R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":)" +
           second + "}}";
  };
  write_bytes(dir_ / "good", safetensors(two("[8,16]"), 16));
  EXPECT_NO_THROW(open_tensor_file(dir_ / "good"));
  EXPECT_TRUE(holds(header_fault(two("[4,12]"), 12), {"b in", "data_offsets [4, 12]", "overlap those of a"}));
  EXPECT_TRUE(holds(header_fault(two("[0,8]"), 8), {"b in", "overlap those of a"}));
  EXPECT_TRUE(holds(header_fault(two("[12,20]"), 20), {"b in", "leave a gap", "from 8 on"}));
  EXPECT_TRUE(holds(header_fault(two("[8,16]"), 15), {"b in", "beyond the end", "15 bytes"}));
  EXPECT_TRUE(holds(header_fault(two("[8,16]"), 19), {"the last 3 bytes belong to no tensor"}));
  EXPECT_TRUE(holds(header_fault("{}", 1), {"the last 1 bytes belong to no tensor"}));
}

TEST_F(TensorDamage, NumbersThatAreNotFinite) {
  const float inf = std::numeric_limits<float>::infinity();
  const auto fault = [&](const std::string& type, const std::string& data, std::size_t count) {
    const std::string header = one("\"dtype\":\"" + type + "\",\"shape\":[" + std::to_string(count) +
                                   "],\"data_offsets\":[0," + std::to_string(data.size()) + "]");
    write_bytes(dir_ / "x", little_endian(header.size(), 8) + header + data);
    const auto file = open_tensor_file(dir_ / "x");
    std::vector<float> values(count);
    return error_of(ErrorKind::data, [&] { file->read(file->entries()[0], values); });
  };
  EXPECT_TRUE(holds(fault("F32", bytes_of<float>({1, NAN, inf}), 3), {"a.b", "element 1 is no number"}));
  EXPECT_TRUE(holds(fault("F32", bytes_of<float>({1, 2, -inf}), 3), {"a.b", "element 2 is infinite"}));
  EXPECT_TRUE(holds(fault("F64", bytes_of<double>({1, 1e39}), 2), {"a.b", "element 1", "fp32"}));
  EXPECT_TRUE(holds(fault("F64", bytes_of<double>({-HUGE_VAL}), 1), {"a.b", "element 0"}));
  EXPECT_TRUE(holds(fault("F16", bytes_of<uint16_t>({0x3C00, 0x7C00}), 2), {"element 1 is infinite"}));
  EXPECT_TRUE(holds(fault("BF16", bytes_of<uint16_t>({0xFF80, 0x3F80}), 2), {"element 0 is infinite"}));
  std::vector<float> many(200000);
  many[150000] = inf;
  EXPECT_TRUE(holds(fault("F32", bytes_of(many), many.size()), {"element 150000 is infinite"}));
}

TEST_F(TensorDamage, AFileThatIsCutWhileInUse) {
  write_bytes(dir_ / "x", safetensors(one(R"("dtype":"F32","shape":[1000],"data_offsets":[0,4000])"), 4000));
  const auto file = open_tensor_file(dir_ / "x");
  fs::resize_file(dir_ / "x", 2000);
  std::vector<float> values(1000);
  EXPECT_TRUE(holds(error_of(ErrorKind::data, [&] { file->read(file->entries()[0], values); }), {"ends early"}));
}

TEST_F(TensorDamage, IndexAndShards) {
  const std::string a = safetensors(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4);
  const std::string b = safetensors(R"({"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4);
  const FileList both = {{"1.safetensors", a}, {"2.safetensors", b}};
  const std::string good = R"({"weight_map":{"a":"1.safetensors","b":"2.safetensors"}})";
  test::write_folder(dir_ / "good", both);
  write_bytes(dir_ / "good/model.safetensors.index.json", good);
  EXPECT_EQ(open_tensor_file(dir_ / "good")->entries().size(), 2u);

  EXPECT_TRUE(holds(fault_of_folder(good, {{"1.safetensors", a}}, ErrorKind::io), {"2.safetensors", "missing"}));
  EXPECT_TRUE(holds(fault_of_folder(good, {{"1.safetensors", a}, {"2.safetensors", a}}), {"b is not in"}));
  EXPECT_TRUE(holds(fault_of_folder(R"({"weight_map":{"a":"1.safetensors"}})", {{"1.safetensors", b}}), {"a is not"}));
  const std::string both_in_one = safetensors(
      R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
      8);
  EXPECT_TRUE(holds(fault_of_folder(good, {{"1.safetensors", both_in_one}, {"2.safetensors", b}}),
                    {"b is there twice", "and in 2.safetensors"}));
  EXPECT_TRUE(holds(fault_of_folder(R"({"weight_map":{"a":"1.safetensors"}})", {{"1.safetensors", both_in_one}}),
                    {"b in", "not in the index"}));
  for (const char* name : {"../1.safetensors", "/etc/passwd", "x/1.safetensors", "..", ".", "", "a\\\\b", "1\\u0000"})
    EXPECT_TRUE(holds(fault_of_folder(std::string(R"({"weight_map":{"a":")") + name + "\"}}", both),
                      {"weight_map/a", "name of a file in the folder"}))
        << name;
  EXPECT_TRUE(holds(fault_of_folder(R"({"weight_map":{"a":1}})", both), {"weight_map/a", "name of a file"}));
  EXPECT_TRUE(holds(fault_of_folder(R"({"weight_map":{"a":"1.safetensors","a":"2.safetensors"}})", both),
                    {"weight_map/a", "twice"}));
  EXPECT_TRUE(holds(fault_of_folder(R"({"weight_map":[]})", both), {"weight_map"}));
  EXPECT_TRUE(holds(fault_of_folder("{}", both), {"weight_map"}));
  EXPECT_TRUE(holds(fault_of_folder("", both), {"is not JSON"}));
  EXPECT_TRUE(holds(fault_of_folder(std::string(100000, '['), both), {"nests too deep"}));
  EXPECT_TRUE(holds(fault_of_folder(good, {{"1.safetensors", a}, {"2.safetensors", b.substr(0, 20)}}), {"2.safetens"}));
}

std::string npy(const std::string& dictionary, std::size_t data_bytes, int version = 1) {
  const std::string start = std::string("\x93NUMPY") + static_cast<char>(version) + '\0';
  return start + little_endian(dictionary.size(), version == 1 ? 2 : 4) + dictionary + std::string(data_bytes, '\0');
}

TEST_F(TensorDamage, HeadersOfNpy) {
  const std::string good = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }\n";
  test::write_archive(dir_ / "good.zip", {{"a.npy", npy(good, 4)}});
  EXPECT_EQ(open_tensor_file(dir_ / "good.zip")->entries()[0].name, "a");

  const struct {
    const char* dictionary;
    const char* words;
  } cases[] = {
      {"{'descr': '<f4', 'fortran_order': False}", "needs the fields"},
      {"{'descr': '<f4', 'shape': (1,)}", "needs the fields"},
      {"{'fortran_order': False, 'shape': (1,)}", "needs the fields"},
      {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", "twice"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}", "'x' is unknown"},
      {"{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}", "True or False"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (1)}", "tuple"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': 1}", "needs ("},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", "whole numbers"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (1.5,)}", "needs"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775808,)}", "63 bits"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}", "more elements"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (1152921504606846976,)}", "more elements"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", "need 8 bytes"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': ()", "needs }"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x", "follows"},
      {"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", "objects of Python"},
      {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", "records"},
      {"{'descr': '<q4', 'fortran_order': False, 'shape': (1,)}", "no type"},
      {"{'descr': '<f', 'fortran_order': False, 'shape': (1,)}", "no type"},
      {"{'descr': 'f4', 'fortran_order': False, 'shape': (1,)}", "no type"},
      {"{'descr': '<f99999999999', 'fortran_order': False, 'shape': (1,)}", "no type"},
      {"{'descr': '', 'fortran_order': False, 'shape': (1,)}", "empty"},
      {"{'descr': __import__('os').system('x'), 'fortran_order': False, 'shape': (1,)}", "needs a string"},
      {"", "needs {"},
  };
  for (const auto& c : cases)
    EXPECT_TRUE(holds(fault_of_entry(npy(c.dictionary, 4)), {"a.npy", c.words})) << c.dictionary;
  EXPECT_TRUE(holds(fault_of_entry(npy(good, 4, 4)), {"a.npy", "version 4.0"}));
  EXPECT_TRUE(holds(fault_of_entry(npy(good, 4, 0)), {"a.npy", "version 0.0"}));
  EXPECT_TRUE(holds(fault_of_entry("\x93NUMPX" + npy(good, 4).substr(6)), {"a.npy", "is no .npy"}));
  EXPECT_TRUE(holds(fault_of_entry(npy(good + std::string(20000, ' '), 4)), {"a.npy", "at most 10000"}));
  const std::string claims = npy(good, 4, 2);
  EXPECT_TRUE(holds(fault_of_entry(claims.substr(0, 8) + little_endian(0xFFFFFFFF, 4)), {"a.npy", "at most 10000"}));
  for (const std::size_t size : {0, 5, 9, 40})
    EXPECT_TRUE(holds(fault_of_entry(npy(good, 4).substr(0, size)), {"a.npy"}));
  EXPECT_TRUE(holds(fault_of_entry(npy(good, 3)), {"a.npy", "need 4 bytes"}));
  EXPECT_TRUE(holds(fault_of_entry(npy(good, 5)), {"a.npy", "need 4 bytes"}));
  EXPECT_TRUE(holds(fault_of_entry(npy(good, 4), "a.txt"), {"a.txt", "NAME.npy"}));
  EXPECT_TRUE(holds(fault_of_entry(npy(good, 4), ".npy"), {".npy", "NAME.npy"}));
}

TEST_F(TensorDamage, TheZipOfNpz) {
  const std::string good = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }\n";
  test::write_archive(dir_ / "x.zip", {{"a.npy", npy(good, 4)}, {"a.npy", npy(good, 4)}});
  EXPECT_TRUE(holds(error_of(ErrorKind::data, [&] { open_tensor_file(dir_ / "x.zip"); }), {"a is there twice"}));

  const std::string stored = read_bytes(fs::path(VIT_SOURCE_DIR) / "tests/io/tensor_files/stored.npz");
  for (const std::size_t size : {std::size_t{4}, std::size_t{30}, stored.size() / 2, stored.size() - 1})
    EXPECT_TRUE(holds(fault_of(stored.substr(0, size), "x.npz"), {"x.npz", "copied only in part"})) << size;

  std::string damaged = stored;  // the last number of brain.npy
  const std::size_t next = damaged.find("PK\x03\x04", damaged.find("brain.npy"));
  damaged[next - 1] = static_cast<char>(damaged[next - 1] ^ 1);
  write_bytes(dir_ / "x.npz", damaged);
  const auto file = open_tensor_file(dir_ / "x.npz");
  std::string faults;
  for (const TensorEntry& entry : file->entries()) {
    if (entry.type[1] != 'f' && entry.type[1] != 'V') continue;
    std::vector<float> values(static_cast<std::size_t>(entry.count));
    try {
      file->read(entry, values);
    } catch (const Error& error) {
      faults += error.what();
    }
  }
  EXPECT_TRUE(holds(faults, {"brain.npy in", "CRC"}));
}

}  // namespace
}  // namespace vit
