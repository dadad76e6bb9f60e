// Opens many damaged files of every kind that the program reads; none may crash, hang, take much memory or end in
// anything but an Error that blames the file.
//   mutate_files [--count N] [--from SEED] [--kind NAME] [--keep DIR] [FILE.h5...]
// N files a kind (300), seeds counted from SEED (0). One process opens file after file; when it dies its seed is known,
// the file is kept in DIR, and the next process goes on behind it.
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/malformed/mutate/kinds.h"
#include "tests/malformed/mutate/mutation.h"
#include "tests/support/source_files.h"
#include "tests/support/temp_dir.h"
#include "vit/core/error.h"
#include "vit/core/parallel.h"

namespace {

namespace fs = std::filesystem;
using namespace vit::test;

constexpr unsigned kMostSeconds = 20;                             // for one file, on a busy machine
[[maybe_unused]] constexpr rlim_t kMostMemory = rlim_t{3} << 30;  // of addresses, the libraries' included
constexpr uint64_t kRestart = 2000;                               // files a process

struct Options {
  uint64_t count = 300;
  uint64_t from = 0;
  std::string kind;
  fs::path keep;
  std::vector<fs::path> more;
};

/// What the running process tells, in shared memory.
struct Tally {
  uint64_t next = 0;  // the seed it works on; behind the last one when it is done
  uint64_t opened = 0;
  uint64_t refused = 0;
  uint64_t wrong = 0;
  long most_kilobytes = 0;
  uint64_t printed = 0;  // bytes that came on stderr
};

struct Loaded {
  Example example;
  std::string bytes;
  std::vector<SummedPart> parts;
};

std::vector<Loaded> load(const FileKind& kind) {
  std::vector<Loaded> out;
  for (const Example& example : kind.examples) {
    std::string bytes = read_bytes(example.file);
    std::vector<SummedPart> parts = summed_parts(bytes);
    out.push_back({example, std::move(bytes), std::move(parts)});
  }
  return out;
}

Mutated mutated(const std::vector<Loaded>& examples, uint64_t seed) {
  const Loaded& one = examples[seed % examples.size()];
  const Loaded& other = examples[seed / examples.size() % examples.size()];
  return mutate(one.bytes, other.bytes, one.parts, seed);
}

/// Empty when all is well, or what was wrong.
std::string try_file(const FileKind& kind, const Example& example, Tally& tally) {
  try {
    kind.use(example);
    ++tally.opened;
    return "";
  } catch (const vit::Error& error) {
    if (error.kind() == vit::ErrorKind::internal) return std::string("an internal error: ") + error.what();
    ++tally.refused;
    return "";
  } catch (const std::exception& error) {
    return std::string("not an Error: ") + error.what();
  }
}

[[noreturn]] void work(const FileKind& kind, const std::vector<Loaded>& examples, uint64_t end, Tally& tally) {
  std::FILE* errors = std::tmpfile();
  dup2(fileno(errors), STDERR_FILENO);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // these map terabytes
  const rlimit memory{kMostMemory, kMostMemory};
  setrlimit(RLIMIT_AS, &memory);
#endif
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  vit::set_thread_count(1);
  for (uint64_t done = 0; tally.next < end && done < kRestart; ++done, ++tally.next) {
    const Example& example = examples[tally.next % examples.size()].example;
    write_bytes(example.file, mutated(examples, tally.next).bytes);
    alarm(kMostSeconds);
    const std::string fault = try_file(kind, example, tally);
    alarm(0);
    if (fault.empty()) continue;
    std::cout << kind.name << ", seed " << tally.next << ": " << fault << std::endl;
    ++tally.wrong;
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  tally.most_kilobytes = std::max(tally.most_kilobytes, usage.ru_maxrss);
  tally.printed += static_cast<uint64_t>(std::max<off_t>(0, lseek(STDERR_FILENO, 0, SEEK_END)));
  std::cout.flush();
  _exit(0);
}

/// True when nothing was wrong.
bool run_kind(const FileKind& kind, const Options& options, Tally& tally) {
  for (const Example& example : kind.examples) kind.use(example);  // undamaged they are fine
  const std::vector<Loaded> examples = load(kind);
  const uint64_t end = options.from + options.count;
  tally = Tally{.next = options.from};
  uint64_t crashes = 0;
  while (tally.next < end) {
    std::cout.flush();
    const pid_t child = fork();
    if (child < 0) throw std::runtime_error("cannot fork");
    if (child == 0) work(kind, examples, end, tally);
    int status = 0;
    waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;
    const Mutated bad = mutated(examples, tally.next);
    std::cout << kind.name << ", seed " << tally.next << " (" << mutation_name(bad.mutation)
              << "): " << (WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "the process ended") << std::endl;
    if (!options.keep.empty()) {
      const std::string extension = examples[0].example.file.extension().string();
      write_bytes(options.keep / (kind.name + "-" + std::to_string(tally.next) + extension), bad.bytes);
    }
    ++crashes;
    ++tally.next;
  }
  std::printf(
      "%-18s %8llu files: %8llu refused, %7llu opened, %llu wrong, %llu crashed or hung; at most %ld MB, "
      "%llu bytes on stderr\n",
      kind.name.c_str(), static_cast<unsigned long long>(options.count), static_cast<unsigned long long>(tally.refused),
      static_cast<unsigned long long>(tally.opened), static_cast<unsigned long long>(tally.wrong),
      static_cast<unsigned long long>(crashes), tally.most_kilobytes / 1024,
      static_cast<unsigned long long>(tally.printed));
  std::fflush(stdout);
  return crashes == 0 && tally.wrong == 0;
}

Options parse(int argc, char** argv) {
  Options options;
  const auto number = [&](const char* text) {
    uint64_t value = 0;
    const char* end = text + std::strlen(text);
    if (std::from_chars(text, end, value).ptr != end) throw std::runtime_error(std::string("not a number: ") + text);
    return value;
  };
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (!word.starts_with("--")) {
      options.more.emplace_back(word);
      continue;
    }
    if (++i == argc) throw std::runtime_error(word + " needs a value");
    if (word == "--count")
      options.count = number(argv[i]);
    else if (word == "--from")
      options.from = number(argv[i]);
    else if (word == "--kind")
      options.kind = argv[i];
    else if (word == "--keep")
      options.keep = argv[i];
    else
      throw std::runtime_error("unknown option " + word);
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) try {
  const Options options = parse(argc, argv);
  const TempDir folder;
  vit::set_thread_count(1);  // a fork of a process with threads would wait for them
  const std::vector<FileKind> kinds = make_kinds(folder.path(), options.more);
  void* shared = mmap(nullptr, sizeof(Tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) throw std::runtime_error("no shared memory");
  auto* tally = new (shared) Tally;
  bool fine = true;
  for (const FileKind& kind : kinds)
    if (options.kind.empty() || kind.name.find(options.kind) != std::string::npos)
      fine = run_kind(kind, options, *tally) && fine;
  return fine ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << "mutate_files: " << error.what() << '\n';
  return 2;
}
