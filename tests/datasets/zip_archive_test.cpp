// Zip files as many programs write them, byte by byte.
#include "datasets/zip_archive.h"

#include <gtest/gtest.h>

#include "tests/support/caught_error.h"
#include "tests/support/source_files.h"
#include "tests/support/temp_dir.h"

namespace vit {
namespace {

using test::error_of;
using test::FileList;
using test::holds;
using test::TempDir;

struct ZipEntry {
  std::string name;
  std::string content;
  int flags = 0;            // 0x800: the name is UTF-8; 1: encrypted
  int system = 3;           // that packed it: 0 = DOS, 3 = Unix
  uint32_t attributes = 0;  // of that system
  std::string extra = {};
};

std::string number(uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i) & 255);
  return text;
}

uint32_t crc_of(const std::string& text) {
  uint32_t crc = ~0u;
  for (const char c : text) {
    crc ^= static_cast<uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320u : 0u);
  }
  return ~crc;
}

/// Stored, not packed; behind `program` where it unpacks itself.
std::string zip_of(const std::vector<ZipEntry>& entries, const std::string& program = "") {
  std::string file = program;
  std::string directory;
  for (const ZipEntry& e : entries) {
    const std::string common = number(20, 2) + number(static_cast<uint64_t>(e.flags), 2) + number(0, 2) + number(0, 2) +
                               number(0x21, 2) + number(crc_of(e.content), 4) + number(e.content.size(), 4) +
                               number(e.content.size(), 4) + number(e.name.size(), 2) + number(e.extra.size(), 2);
    directory += "PK\x01\x02" + number(20, 1) + number(static_cast<uint64_t>(e.system), 1) + common + number(0, 2) +
                 number(0, 2) + number(0, 2) + number(e.attributes, 4) + number(file.size(), 4) + e.name + e.extra;
    file += "PK\x03\x04" + common + e.name + e.extra + e.content;
  }
  return file + directory + "PK\x05\x06" + number(0, 4) + number(entries.size(), 2) + number(entries.size(), 2) +
         number(directory.size(), 4) + number(file.size(), 4) + number(0, 2);
}

class ZipArchive : public testing::Test {
 protected:
  FileList files(const std::vector<ZipEntry>& entries, const std::string& program = "") {
    test::write_bytes(dir_ / "x.zip", zip_of(entries, program));
    const auto source = open_source(dir_ / "x.zip");
    faults_ = source->listing().faults;
    FileList found;
    const auto stream = source->begin_pass();
    std::vector<uint8_t> content;
    for (std::string path; stream->next(path);) {
      EXPECT_EQ(stream->read(content, 1000), "") << path;
      found.emplace_back(path, std::string(content.begin(), content.end()));
    }
    return found;
  }

  const TempDir dir_;
  std::vector<EntryFault> faults_;
};

TEST_F(ZipArchive, NamesAreTheirBytesWhateverTheCodePage) {
  const FileList expected{{"\xe7\x8c\xab/0.png", "utf-8"},
                          {"\xc3\xa9lan/1.png", "composed"},
                          {"e\xcc\x81lan/1.png", "decomposed"},
                          {"\x83\x5c\x83t\x83g/0.png", "shift-jis 1"},
                          {"\x83\x5c\x81[\x83X/0.png", "shift-jis 2"},
                          {"\x82lan/1.png", "cp437"},
                          {"caf\xe9/1.png", "latin-1"}};
  std::vector<ZipEntry> entries;
  for (size_t i = 0; i < expected.size(); ++i)
    entries.push_back({expected[i].first, expected[i].second, i < 3 ? 0x800 : 0, i % 2 == 0 ? 0 : 3});
  EXPECT_EQ(files(entries), expected);
}

TEST_F(ZipArchive, TheUnicodePathFieldIsTheName) {
  const std::string name = "\x82lan/1.png";
  const std::string utf8 = "\xc3\xa9lan/1.png";
  const std::string extra = "up" + number(5 + utf8.size(), 2) + number(1, 1) + number(crc_of(name), 4) + utf8;
  EXPECT_EQ(files({{name, "x", 0, 0, 0, extra}}), (FileList{{utf8, "x"}}));
}

TEST_F(ZipArchive, BackslashesSeparateOnlyWhereNothingElseDoes) {
  EXPECT_EQ(files({{"a\\1.png", "1", 0, 0}, {"b\\c\\2.png", "2", 0, 0}}),
            (FileList{{"a/1.png", "1"}, {"b/c/2.png", "2"}}));
  EXPECT_EQ(files({{"a\\1.png", "1"}, {"b/2.png", "2"}}), (FileList{{"a\\1.png", "1"}, {"b/2.png", "2"}}));
}

TEST_F(ZipArchive, LinksAndRepeatedNamesAreAsUnpacked) {
  const uint32_t link = 0120777u << 16;
  EXPECT_EQ(
      files(
          {{"a/1.png", "old"}, {"b/2.png", "../a/1.png", 0, 3, link}, {"a/1.png", "new"}, {"gone", "no", 0, 3, link}}),
      (FileList{{"a/1.png", "new"}, {"b/2.png", "new"}}));
  ASSERT_EQ(faults_.size(), 1u);
  EXPECT_EQ(faults_[0].path, "gone");
}

TEST_F(ZipArchive, EmptyFoldersAreListed) {
  test::write_bytes(dir_ / "x.zip", zip_of({{"a/1.png", "1"}, {"empty/", ""}, {"dos", "", 0, 0, 0x10}}));
  EXPECT_EQ(open_source(dir_ / "x.zip")->listing().folders, (std::vector<std::string>{"a", "dos", "empty"}));
}

TEST_F(ZipArchive, OnesThatUnpackThemselvesAreRead) {
  for (const char* magic : {"MZ", "\x7f\x45LF"}) {
    const std::string program = magic + std::string(300, '\0');
    EXPECT_EQ(files({{"a/1.png", "1"}}, program), (FileList{{"a/1.png", "1"}})) << magic;
  }
}

TEST_F(ZipArchive, AnEmptyOneHasNoFiles) { EXPECT_EQ(files({}), FileList{}); }

TEST_F(ZipArchive, EncryptedAndPartialFilesAreRefusedInOneLine) {
  EXPECT_TRUE(holds(error_of(ErrorKind::data,
                             [&] {
                               files({{"a/1.png", std::string(20, 'x'), 1}});
                             }),
                    {"x.zip", "a/1.png", "encrypted", "password"}));
  std::string part = zip_of({{"a/1.png", "1"}});
  part[part.size() - 18] = 1;  // number of this disk
  test::write_bytes(dir_ / "x.zip", part);
  EXPECT_TRUE(holds(error_of(ErrorKind::data, [&] { open_source(dir_ / "x.zip"); }), {"x.zip", "one part of several"}));
}

}  // namespace
}  // namespace vit
