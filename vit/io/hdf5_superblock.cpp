#include <algorithm>

#include "vit/io/hdf5_object.h"

namespace vit::h5 {
namespace {

constexpr std::array<uint8_t, 8> kSignature{0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};

struct Superblock {
  uint64_t base = 0;
  uint64_t end = 0;  // of the file, a user block before the base included
  uint64_t root = kNoAddress;
};

void check_widths(Cursor& from) {
  const int addresses = from.u8();
  const int lengths = from.u8();
  if (addresses != 8 || lengths != 8)
    from.fail_here("says addresses of ", addresses, " and lengths of ", lengths, " bytes; 8 are read");
}

Superblock read_early(const Source& source, uint8_t version) {
  constexpr std::size_t kMostBytes = 100;
  std::array<uint8_t, kMostBytes> bytes;
  source.read(0, bytes, "superblock");
  Cursor from(source, bytes, "superblock");
  from.skip(kSignature.size() + 5);
  check_widths(from);
  from.skip(1 + 2 + 2 + 4 + (version == 1 ? 4 : 0));
  Superblock block;
  block.base = from.u64();
  from.skip(8);
  block.end = from.u64();
  if (from.u64() != kNoAddress) source.fail_object("superblock", "names a driver; files of several parts are not read");
  from.skip(8);
  block.root = from.u64();
  return block;
}

Superblock read_late(const Source& source) {
  std::array<uint8_t, 48> bytes;
  source.read(0, bytes, "superblock");
  check_sum(source, bytes, "superblock");
  Cursor from(source, bytes, "superblock");
  from.skip(kSignature.size() + 1);
  check_widths(from);
  if (from.u8() != 0)
    source.fail_object("superblock", "says that its writer still has it open; did that stop halfway?");
  Superblock block;
  block.base = from.u64();
  from.skip(8);
  block.end = from.u64();
  block.root = from.u64();
  return block;
}

}  // namespace

uint64_t read_superblock(Source& source) {
  if (source.size() == 0) fail(ErrorKind::data, "[hdf5] ", source.path().string(), " is empty");
  std::array<uint8_t, kSignature.size() + 1> start{};
  uint64_t place = 0;
  for (;; place = place == 0 ? 512 : place * 2) {
    if (place > source.size() || source.size() - place < start.size())
      fail(ErrorKind::data, "[hdf5] cannot open ", source.path().string(),
           ": file signature not found; is it an HDF5 file?");
    source.read(place, start, "signature");
    if (std::equal(kSignature.begin(), kSignature.end(), start.begin())) break;
  }
  source.set_base(place);
  const uint8_t version = start.back();
  if (version > 3) source.fail_damaged("superblock version ", +version, ", 0 to 3 are read");
  const Superblock block = version < 2 ? read_early(source, version) : read_late(source);
  // A tool may have put a user block before the file without telling it.
  const uint64_t stated = block.end - block.base + place;
  if (stated != source.size())
    source.fail_damaged("it states a size of ", stated, " bytes and has ", source.size(), "; was it ",
                        stated > source.size() ? "cut off?" : "changed, or something added?");
  return block.root;
}

}  // namespace vit::h5
