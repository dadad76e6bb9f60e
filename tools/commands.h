// The sub-commands. Each one adds itself to the command line and leaves what it does, when it is the chosen one, in
// `run`; the result is the exit code.
#pragma once

#include <CLI/App.hpp>
#include <functional>

namespace vit::tools {

inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;
inline constexpr int kSomeUnreadable = 3;  // done, but some inputs could not be read: they were named and counted
inline constexpr int kBrokenPipe = 141;    // what a shell says of a program that SIGPIPE has ended

using Run = std::function<int()>;

void add_data_command(CLI::App& root, Run& run);
void add_train_command(CLI::App& root, Run& run);
void add_eval_command(CLI::App& root, Run& run);
void add_classify_command(CLI::App& root, Run& run);
void add_explain_command(CLI::App& root, Run& run);
void add_model_command(CLI::App& root, Run& run);
/// Commands of `vit model`.
void add_quantize_command(CLI::App& parent, Run& run);
void add_export_command(CLI::App& parent, Run& run);
void add_import_command(CLI::App& parent, Run& run);
void add_parity_command(CLI::App& root, Run& run);
void add_bench_command(CLI::App& root, Run& run);
/// Of the build, and not shown by --help.
void add_man_command(CLI::App& root, Run& run);

}  // namespace vit::tools
