// libFuzzer's side: VIT_FUZZ_TARGET names the reader (scripts/fuzz sets it).
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <unordered_map>
#include <vector>

#include "tests/fuzz/target.h"
#include "tests/malformed/mutate/mutation.h"
#include "vit/core/parallel.h"

extern "C" std::size_t LLVMFuzzerMutate(uint8_t* data, std::size_t size, std::size_t most);

namespace {

const vit::fuzz::Target& target() {
  static const vit::fuzz::Target* const found = [] {
    const char* name = std::getenv("VIT_FUZZ_TARGET");
    const vit::fuzz::Target* wanted = vit::fuzz::find_target(name != nullptr ? name : "");
    if (wanted == nullptr) {
      std::fputs("VIT_FUZZ_TARGET names none of the targets of tests/fuzz/target.h\n", stderr);
      std::exit(2);
    }
    vit::set_thread_count(1);
    return wanted;
  }();
  return *found;
}

using Parts = std::vector<vit::test::SummedPart>;

/// Of the files that were changed of late. Finding the parts takes longer than reading a file, and one is changed
/// several times in a row.
std::unordered_map<std::string, Parts>& known_parts() {
  constexpr std::size_t kMost = 1000;
  static std::unordered_map<std::string, Parts> known;
  if (known.size() > kMost) known.clear();
  return known;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  vit::fuzz::tolerate([&] { target().read({data, size}); });
  return 0;
}

/// The parts of HDF5 files carry sums. With each second change those of the file before are made right again, or
/// hardly a change would be seen by more than the check of its sum.
extern "C" std::size_t LLVMFuzzerCustomMutator(uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
  const std::string before(reinterpret_cast<const char*>(data), size);
  const std::size_t changed = LLVMFuzzerMutate(data, size, most);
  if (!target().name.starts_with("hdf5")) return changed;
  auto& known = known_parts();
  const auto found = known.find(before);
  const Parts parts = found != known.end() ? found->second : vit::test::summed_parts(before);
  std::string after(reinterpret_cast<const char*>(data), changed);
  if (seed % 2 == 1) vit::test::repair_sums(after, parts);
  after.copy(reinterpret_cast<char*>(data), changed);
  known.emplace(after, parts);
  known.emplace(before, parts);
  return changed;
}
