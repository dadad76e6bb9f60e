#include "vit/io/hdf5_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "vit/io/checksum.h"

namespace vit::h5 {
namespace {
constexpr std::size_t kLetters = 4;
constexpr std::size_t kSumBytes = 4;
}  // namespace

Source::Source(const std::filesystem::path& path) : path_(path) {
  fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a pipe would wait for its writer
  if (fd_ < 0) fail(ErrorKind::io, "[hdf5] cannot open ", path.string(), ": ", std::strerror(errno));
  struct stat info {};
  if (::fstat(fd_, &info) != 0 || !S_ISREG(info.st_mode)) {
    ::close(fd_);
    fail(ErrorKind::io, "[hdf5] cannot open ", path.string(), ": it is not a regular file");
  }
  size_ = static_cast<uint64_t>(info.st_size);
}

Source::~Source() { ::close(fd_); }

void Source::check(uint64_t address, uint64_t bytes, std::string_view what) const {
  const uint64_t room = size_ - base_;
  if (address > room || bytes > room - address)
    fail_damaged(what, " of ", bytes, " bytes at ", address, " lies beyond the end");
}

void Source::read(uint64_t address, std::span<uint8_t> out, std::string_view what) const {
  check(address, out.size(), what);
  uint64_t place = base_ + address;
  while (!out.empty()) {
    const ssize_t got = ::pread(fd_, out.data(), out.size(), static_cast<off_t>(place));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(ErrorKind::io, "[hdf5] cannot read ", path_.string(), ": ", std::strerror(errno));
    if (got == 0) fail_damaged(what, " ends early; was the file cut while in use?");
    out = out.subspan(static_cast<std::size_t>(got));
    place += static_cast<uint64_t>(got);
  }
}

std::span<const uint8_t> Cursor::take(uint64_t count) {
  if (count > bytes_.size()) fail_here("ends early");
  const auto taken = bytes_.first(static_cast<std::size_t>(count));
  bytes_ = bytes_.subspan(taken.size());
  return taken;
}

uint64_t Cursor::number(unsigned width) {
  uint64_t value = 0;
  const auto bytes = take(width);
  for (std::size_t i = 0; i < bytes.size() && i < sizeof value; ++i) value |= uint64_t{bytes[i]} << (8 * i);
  return value;
}

void Cursor::expect_version(uint8_t version) {
  if (const uint8_t found = u8(); found != version) fail_here("needs version ", +version, ", has ", +found);
}

void Walk::charge(uint64_t bytes) {
  if (bytes > left_) source_->fail_damaged("its parts overlap or lead in circles");
  left_ -= bytes;
}

std::vector<uint8_t> Walk::read(uint64_t address, uint64_t bytes, std::string_view what) {
  source_->check(address, bytes, what);
  charge(bytes);
  std::vector<uint8_t> out(static_cast<std::size_t>(bytes));
  source_->read(address, out, what);
  return out;
}

std::vector<uint8_t> Walk::read_block(uint64_t address, uint64_t bytes, std::string_view letters) {
  std::vector<uint8_t> block = read(address, bytes, letters);
  if (block.size() < kLetters + kSumBytes || !std::equal(letters.begin(), letters.end(), block.begin()))
    source_->fail_damaged("no ", letters, " at ", address);
  check_sum(*source_, block, letters);
  return block;
}

Cursor inside_block(const Source& source, std::span<const uint8_t> block) {
  return {source,
          block.subspan(kLetters, block.size() - kLetters - kSumBytes),
          {reinterpret_cast<const char*>(block.data()), kLetters}};
}

void check_sum(const Source& source, std::span<const uint8_t> block, std::string_view what) {
  const auto content = block.first(block.size() - kSumBytes);
  uint32_t sum = 0;
  std::memcpy(&sum, block.data() + content.size(), sizeof sum);
  if (lookup3(content) != sum) source.fail_damaged(what, " does not match its checksum");
}

unsigned bytes_for(uint64_t limit) { return limit == 0 ? 1 : static_cast<unsigned>(std::bit_width(limit) - 1) / 8 + 1; }

}  // namespace vit::h5
