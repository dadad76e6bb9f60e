#include "datasets/archive.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <clocale>
#include <cstdint>

#include "tests/support/caught_error.h"
#include "tests/support/source_files.h"
#include "tests/support/temp_dir.h"

namespace vit {
namespace {

using test::error_of;
using test::FileList;
using test::holds;
using test::TempDir;

std::string bytes(int count, int seed) {
  std::string text;
  for (int64_t i = 0; i < count; ++i) text += static_cast<char>((i * 131 + i * i / 7 + seed) & 255);
  return text;
}

const FileList kFiles{
    {"b/1.png", bytes(1000, 1)}, {"a/empty", ""}, {"a/2.png", bytes(90'000, 2)}, {"\xc3\xa4.png", "x"}};

FileList read_all(const EntrySource& source, int64_t limit = 1 << 20) {
  FileList files;
  const auto stream = source.begin_pass();
  std::vector<uint8_t> content;
  for (std::string path; stream->next(path);) {
    EXPECT_EQ(stream->read(content, limit), "") << path;
    files.emplace_back(path, std::string(content.begin(), content.end()));
  }
  return files;
}

class EveryForm : public testing::TestWithParam<const char*> {};

TEST_P(EveryForm, IsReadInItsOwnOrderAsOftenAsWanted) {
  const TempDir dir;
  test::write_archive(dir / GetParam(), kFiles);
  const auto source = open_source(dir / GetParam());
  EXPECT_EQ(read_all(*source), kFiles);
  EXPECT_EQ(read_all(*source), kFiles);
}

TEST_P(EveryForm, EntriesMayBeSkipped) {
  const TempDir dir;
  test::write_archive(dir / GetParam(), kFiles);
  const auto stream = open_source(dir / GetParam())->begin_pass();
  std::string path;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(stream->next(path));
  std::vector<uint8_t> content;
  EXPECT_EQ(stream->read(content, 1 << 20), "");
  EXPECT_EQ(std::string(content.begin(), content.end()), kFiles[2].second);
}

TEST_P(EveryForm, IsKnownByContentNotByName) {
  const TempDir dir;
  test::write_archive(dir / GetParam(), kFiles);
  std::filesystem::rename(dir / GetParam(), dir / "download");
  EXPECT_EQ(read_all(*open_source(dir / "download")), kFiles);
}

TEST_P(EveryForm, CutAnywhereIsAnErrorThatNamesIt) {
  const TempDir dir;
  test::write_archive(dir / GetParam(), kFiles);
  const std::string whole = test::read_bytes(dir / GetParam());
  const auto cut = dir / "cut";
  for (size_t part = 0; part < 60; ++part) {
    const size_t size = whole.size() * part / 60 / 512 * 512 + (part % 3) * 17;  // at edges of tar's blocks and not
    if (size >= whole.size()) continue;
    test::write_bytes(cut, whole.substr(0, size));
    const std::string text = error_of(ErrorKind::data, [&] { read_all(*open_source(cut)); });
    EXPECT_TRUE(holds(text, {"[archive]", cut.c_str()})) << "cut to " << size << " of " << whole.size();
  }
}

TEST_P(EveryForm, AFlippedByteIsNoCrash) {
  const TempDir dir;
  test::write_archive(dir / GetParam(), kFiles);
  const std::string whole = test::read_bytes(dir / GetParam());
  for (size_t at = 0; at < whole.size(); at += 1 + whole.size() / 300) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
    test::write_bytes(dir / "damaged", damaged);
    try {
      const auto stream = open_source(dir / "damaged")->begin_pass();
      std::vector<uint8_t> content;
      for (std::string path; stream->next(path);) stream->read(content, 1 << 20);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data) << error.what();
    }
  }
}

TEST_P(EveryForm, LimitsHold) {
  const TempDir dir;
  test::write_archive(dir / GetParam(), kFiles);
  const auto read_under = [&](const SourceLimits& limits) {
    return error_of(ErrorKind::data, [&] { read_all(*open_source(dir / GetParam(), limits)); });
  };
  SourceLimits limits;
  limits.max_entries = 3;
  EXPECT_TRUE(holds(read_under(limits), {GetParam(), "more than 3 entries"}));
  limits = {};
  limits.max_total_bytes = 90'000;
  EXPECT_TRUE(holds(read_under(limits), {GetParam(), "more than 90000 bytes"}));

  // One file that is too large is that file's fault alone.
  const auto stream = open_source(dir / GetParam())->begin_pass();
  std::string path;
  std::vector<uint8_t> content;
  std::vector<std::string> faults;
  while (stream->next(path)) faults.push_back(stream->read(content, 999));
  EXPECT_EQ(faults, (std::vector<std::string>{"holds more than 999 bytes", "", "holds more than 999 bytes", ""}));
}

INSTANTIATE_TEST_SUITE_P(Archive, EveryForm, testing::Values("x.tar", "x.tar.gz", "x.tar.xz", "x.zip"),
                         [](const auto& form) {
                           std::string name = form.param + 2;
                           std::replace(name.begin(), name.end(), '.', '_');
                           return name;
                         });

TEST(Archive, APlainTarCutBetweenTwoFilesIsCut) {
  const TempDir dir;
  test::write_archive(dir / "x.tar", kFiles);
  const size_t first = 512 + 1024;  // header, and 1000 bytes rounded up
  for (const size_t size : {first, first + 512}) {
    test::write_bytes(dir / "cut.tar", test::read_bytes(dir / "x.tar").substr(0, size));
    EXPECT_TRUE(
        holds(error_of(ErrorKind::data, [&] { read_all(*open_source(dir / "cut.tar")); }), {"cut.tar", "end mark"}));
  }
}

TEST(Archive, PathsAreOnlyNames) {
  const TempDir dir;
  test::write_archive(dir / "x.tar",
                      {{"/abs/1.png", "1"}, {"../../up/2.png", "2"}, {"./a/./3.png", "3"}, {"a//4", "4"}});
  const FileList expected{{"abs/1.png", "1"}, {"up/2.png", "2"}, {"a/3.png", "3"}, {"a/4", "4"}};
  EXPECT_EQ(read_all(*open_source(dir / "x.tar")), expected);
}

/// A tar header of 512 bytes, and the content up to the next block.
std::string tar_entry(const std::string& name, char type, const std::string& content) {
  std::string header(512, '\0');
  const auto put = [&](size_t at, const std::string& text) { header.replace(at, text.size(), text); };
  const auto octal = [](uint64_t value, int digits) {
    std::string text;
    for (int i = digits - 1; i >= 0; --i) text += static_cast<char>('0' + (value >> (3 * i) & 7));
    return text;
  };
  put(0, name);
  put(100, "0000644");
  put(124, octal(content.size(), 11));
  put(136, octal(0, 11));
  put(148, "        ");
  put(156, std::string(1, type));
  put(257, std::string("ustar\0", 6) + "00");
  uint64_t sum = 0;
  for (const char c : header) sum += static_cast<uint8_t>(c);
  put(148, octal(sum, 6) + std::string(1, '\0'));
  return header + content + std::string((512 - content.size() % 512) % 512, '\0');
}

/// The name in an extended header, as GNU tar and Python write what is not ASCII.
std::string pax_entry(const std::string& name, const std::string& content) {
  const std::string record = " path=" + name + "\n";
  size_t length = record.size() + 1;
  while (std::to_string(length).size() + record.size() != length) ++length;
  return tar_entry("pax", 'x', std::to_string(length) + record) + tar_entry("short", '0', content);
}

TEST(Archive, NamesOfATarAreTheirBytesInEveryLocale) {
  const TempDir dir;
  const FileList expected{
      {"\xc3\xa9lan/1.png", "composed"}, {"e\xcc\x81lan/1.png", "decomposed"}, {"\xe9lan/1.png", "l"}};
  test::write_bytes(dir / "x.tar", pax_entry(expected[0].first, expected[0].second) +
                                       pax_entry(expected[1].first, expected[1].second) +
                                       tar_entry(expected[2].first, '0', expected[2].second) + std::string(1024, '\0'));
  for (const char* locale : {"C.UTF-8", "C"}) {
    setlocale(LC_ALL, locale);
    EXPECT_EQ(read_all(*open_source(dir / "x.tar")), expected) << locale;
  }
}

TEST(Archive, ABadChecksumOfOneFileSparesTheOthers) {
  const TempDir dir;
  const std::string marker = "-a-file-that-is-not-compressible-";
  test::write_archive(dir / "x.zip", {{"a", marker}, {"b", "fine"}});
  std::string zip = test::read_bytes(dir / "x.zip");
  const size_t crc = zip.rfind("PK\x01\x02", zip.rfind("PK\x01\x02") - 1) + 16;  // of the first entry, in the directory
  zip[crc] = static_cast<char>(zip[crc] ^ 1);
  const size_t descriptor = zip.find("PK\x07\x08");
  if (descriptor != std::string::npos) zip[descriptor + 4] = static_cast<char>(zip[descriptor + 4] ^ 1);
  test::write_bytes(dir / "x.zip", zip);
  const auto stream = open_source(dir / "x.zip")->begin_pass();
  std::string path;
  std::vector<uint8_t> content;
  ASSERT_TRUE(stream->next(path));
  EXPECT_TRUE(holds(stream->read(content, 1000), {"CRC"}));
  ASSERT_TRUE(stream->next(path));
  EXPECT_EQ(stream->read(content, 1000), "");
}

TEST(Archive, WhatIsNoneIsRefused) {
  const TempDir dir;
  for (const char* content : {"", "plain text", "PK"}) {
    test::write_bytes(dir / "x.tar", content);
    EXPECT_TRUE(holds(error_of(ErrorKind::data, [&] { read_all(*open_source(dir / "x.tar")); }), {"x.tar"})) << content;
  }
  EXPECT_TRUE(holds(error_of(ErrorKind::io, [&] { open_source(dir / "absent"); }), {"absent", ".tar.gz"}));
}

TEST(EntrySource, AFolderIsReadInNaturalOrder) {
  const TempDir dir;
  test::write_folder(dir / "f", {{"10/x", "a"}, {"9/x2", "b"}, {"9/x10", "c"}, {"9/.hidden", "d"}, {"top", "e"}});
  const FileList expected{{"9/x2", "b"}, {"9/x10", "c"}, {"10/x", "a"}, {"top", "e"}};
  EXPECT_EQ(read_all(*open_source(dir / "f")), expected);
}

TEST(Gunzip, GivesTheContentUnderALimit) {
  const TempDir dir;
  const std::string content = bytes(100'000, 3);
  test::write_archive(dir / "x.gz", {{"x", content}});
  const std::string packed = test::read_bytes(dir / "x.gz");
  const auto unpack = [](const std::string& text, int64_t limit) {
    const std::vector<uint8_t> input(text.begin(), text.end());
    const std::vector<uint8_t> output = gunzip(input, "name.gz", limit);
    return std::string(output.begin(), output.end());
  };
  EXPECT_EQ(unpack(packed, 100'000), content);
  EXPECT_TRUE(holds(error_of(ErrorKind::data, [&] { unpack(packed, 99'999); }), {"name.gz", "more than 99999"}));
  EXPECT_TRUE(holds(error_of(ErrorKind::data, [&] { unpack("plain", 100); }), {"name.gz", "not a gzip file"}));
  for (size_t size = 0; size < packed.size(); size += 1 + packed.size() / 50)
    EXPECT_TRUE(holds(error_of(ErrorKind::data, [&] { unpack(packed.substr(0, size), 1 << 20); }), {"name.gz"}))
        << size;
}

}  // namespace
}  // namespace vit
