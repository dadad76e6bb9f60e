// Bytes as a file that has a path and lies in memory.
#pragma once

#include <sys/mman.h>

#include <cstdint>
#include <filesystem>
#include <span>
#include <stdexcept>
#include <string>

#include "vit/io/descriptor.h"

namespace vit::fuzz {

class InputFile {
 public:
  explicit InputFile(std::span<const uint8_t> bytes) : file_(::memfd_create("input", MFD_CLOEXEC)) {
    if (file_.get() < 0 || !write_fully(file_.get(), {reinterpret_cast<const char*>(bytes.data()), bytes.size()}))
      throw std::runtime_error("no memory for a file");
  }
  std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(file_.get()); }

 private:
  Descriptor file_;
};

}  // namespace vit::fuzz
