// run_corpus DIR [TARGET]: the reader of each target with each file of DIR/TARGET, as a fuzzer would call it.
#include <algorithm>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "tests/fuzz/target.h"
#include "vit/core/parallel.h"
#include "vit/io/atomic_file.h"

namespace {

namespace fs = std::filesystem;

/// True when nothing but an Error that blames the bytes came of it.
bool try_file(const vit::fuzz::Target& target, const fs::path& path) {
  const std::string bytes = vit::read_file(path, int64_t{64} << 20);
  try {
    vit::fuzz::tolerate([&] { target.read({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}); });
    return true;
  } catch (const std::exception& error) {
    std::cerr << path.string() << ": " << error.what() << '\n';
    return false;
  }
}

bool run_target(const vit::fuzz::Target& target, const fs::path& folder) {
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  bool fine = !files.empty();
  for (const fs::path& path : files) fine = try_file(target, path) && fine;
  std::cout << target.name << ": " << files.size() << " files" << std::endl;
  return fine;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 2 && argc != 3) {
    std::cerr << "usage: run_corpus DIR [TARGET]\n";
    return 2;
  }
  vit::set_thread_count(1);
  bool fine = true;
  bool any = false;
  for (const vit::fuzz::Target& target : vit::fuzz::kTargets) {
    if (argc == 3 && target.name != argv[2]) continue;
    any = true;
    fine = run_target(target, fs::path(argv[1]) / target.name) && fine;
  }
  if (!any) std::cerr << "run_corpus: no target " << argv[2] << '\n';
  return fine && any ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << "run_corpus: " << error.what() << '\n';
  return 2;
}
