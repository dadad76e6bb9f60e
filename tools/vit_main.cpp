// The command `vit`: options in, a library call, a report out (docs/cli.md).
#include <poll.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>
#include <new>
#include <string>
#include <string_view>

#include "tools/args.h"
#include "tools/commands.h"
#include "tools/completion.h"
#include "tools/help.h"
#include "tools/stop_signal.h"
#include "vit/core/cpu.h"
#include "vit/core/error.h"
#include "vit/core/log.h"
#include "vit/core/parallel.h"
#include "vit/core/text.h"
#include "vit/io/output.h"
#include "vit/version.h"

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace vit::tools {
namespace {

std::string version_text() {
  return concat("vit ", VIT_VERSION, " (commit ", VIT_COMMIT, ")\n",  //
                "processor: ", cpu_name(), ", ", thread_count(), thread_count() == 1 ? " thread" : " threads", '\n',
                "vector code: ", isa_name(active_isa()), " (the environment variable VIT_ISA lowers it)\n",  //
                "built with: ", VIT_LIBRARIES);
}

/// Messages of the library go to stderr.
void print_log() {
  auto logger = std::make_shared<spdlog::logger>("vit", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("vit: %l: %v");
  set_log_sink([logger](LogLevel level, std::string_view text) {
    logger->log(level == LogLevel::warning ? spdlog::level::warn : spdlog::level::info, printable_message(text));
  });
}

int report_error(const std::string& text, int exit_code) {
  std::cerr << "vit: error: " << printable_message(text) << '\n';
  return exit_code;
}

int exit_code_of(const Error& error) { return error.kind() == ErrorKind::usage ? kUsage : kFailed; }

/// True when standard output is a pipe that nobody reads any more.
bool reader_has_gone() {
  pollfd standard{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
  return ::poll(&standard, 1, 0) > 0 && (standard.revents & POLLERR) != 0;
}

int run_command_line(int argc, char** argv) {
  CLI::App root("Vision Transformers for image classification: train, measure, use.", "vit");
  set_help_style(root);
  root.require_subcommand(1);
  root.set_version_flag("--version", version_text, "show version, processor and libraries");
  Run run;
  add_train_command(root, run);
  add_eval_command(root, run);
  add_classify_command(root, run);
  add_explain_command(root, run);
  add_data_command(root, run);
  add_model_command(root, run);
  add_parity_command(root, run);
  add_bench_command(root, run);
  add_man_command(root, run);
  refuse_empty_texts(root);
  root.footer(
      "vit COMMAND --help tells the options of a command.\n"
      "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done but some inputs were unreadable.\n"
      "SIGINT, SIGTERM and SIGHUP end a command (exit code 128 + signal) and leave no temporary file; train saves "
      "first.");
  if (argc > 1 && std::string_view(argv[1]) == "complete") {  // what follows is another command line, half typed
    std::cout << completion_text(complete(root, {argv + 2, argv + argc}));
    return kDone;
  }
  try {
    root.parse(argc, argv);
  } catch (const CLI::Success& asked) {  // --help, --version
    return root.exit(asked);
  } catch (const CLI::ParseError& error) {
    return report_error(describe(root, error), kUsage);
  }
  const int code = run();
  std::cout.flush();
  if (std::cout) return code;
  if (reader_has_gone()) return kBrokenPipe;
  return report_error("cannot write to standard output; is the disk full?", kFailed);
}

}  // namespace
}  // namespace vit::tools

int main(int argc, char** argv) {
  using namespace vit::tools;
#if defined(__GLIBC__)
  // Large blocks go back to the system when they are freed; glibc would raise the limit after the first one and keep
  // the holes that reading and packing leave between the weights.
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
  // Blocks a little smaller come and go as HDF5 writes its chunks: without this each of them is asked for anew.
  mallopt(M_TRIM_THRESHOLD, 4 << 20);
  // One heap: those of single threads keep what was freed. Steady loops do not allocate, so nobody waits for it.
  mallopt(M_ARENA_MAX, 1);
#endif
  try {
    take_stop_signals();
    print_log();
    return run_command_line(argc, argv);
  } catch (const vit::BrokenPipe&) {
    return kBrokenPipe;
  } catch (const vit::Error& error) {
    return report_error(error.what(), exit_code_of(error));
  } catch (const std::filesystem::filesystem_error& error) {
    return report_error(vit::concat("[file] cannot use ", error.path1().string(), ": ", error.code().message()),
                        kFailed);
  } catch (const std::bad_alloc&) {
    return report_error("not enough memory; a smaller --batch needs less", kFailed);
  } catch (const std::exception& error) {
    return report_error(std::string("internal: ") + error.what(), kFailed);
  }
}
