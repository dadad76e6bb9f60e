// Folders and archives made of a list of files, for tests of what reads them.
#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace vit::test {

using FileList = std::vector<std::pair<std::string, std::string>>;  // path and content

inline void write_bytes(const std::filesystem::path& path, const std::string& content) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::binary);
  file.write(content.data(), static_cast<std::streamsize>(content.size()));
  if (!file.flush()) throw std::runtime_error("cannot write " + path.string());
}

inline std::string read_bytes(const std::filesystem::path& path) {
  std::ostringstream content;
  content << std::ifstream(path, std::ios::binary).rdbuf();
  return content.str();
}

inline void write_folder(const std::filesystem::path& root, const FileList& files) {
  std::filesystem::create_directories(root);
  for (const auto& [path, content] : files) write_bytes(root / path, content);
}

/// The form follows the extension: .tar, .tar.gz, .tar.xz, .zip, or .gz for a single file.
inline void write_archive(const std::filesystem::path& path, const FileList& files) {
  const std::string name = path.filename().string();
  const auto check = [&](int result) {
    if (result != ARCHIVE_OK) throw std::runtime_error("cannot write " + path.string());
  };
  archive* a = archive_write_new();
  if (name.ends_with("gz")) check(archive_write_add_filter_gzip(a));
  if (name.ends_with("xz")) check(archive_write_add_filter_xz(a));
  if (name.ends_with(".zip")) {
    check(archive_write_set_format_zip(a));
  } else if (name.find(".tar") != std::string::npos) {
    check(archive_write_set_format_ustar(a));
  } else {
    check(archive_write_set_format_raw(a));
  }
  check(archive_write_open_filename(a, path.c_str()));
  for (const auto& [entry_path, content] : files) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, entry_path.c_str());
    archive_entry_set_size(entry, static_cast<la_int64_t>(content.size()));
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    check(archive_write_header(a, entry));
    if (archive_write_data(a, content.data(), content.size()) != static_cast<la_ssize_t>(content.size()))
      throw std::runtime_error("cannot write " + path.string());
    archive_entry_free(entry);
  }
  check(archive_write_close(a));
  archive_write_free(a);
}

}  // namespace vit::test
