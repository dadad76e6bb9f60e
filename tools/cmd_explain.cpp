// vit explain: where the model looks.
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <string_view>

#include "infer/attention_overlay.h"
#include "infer/explain.h"
#include "infer/inputs.h"
#include "tools/args.h"
#include "tools/commands.h"
#include "tools/progress.h"
#include "tools/report.h"
#include "vit/core/error.h"
#include "vit/io/atomic_file.h"
#include "vit/io/output.h"

namespace vit::tools {
namespace {

struct ExplainArgs {
  std::string model, output;
  std::vector<std::string> inputs;
  bool force = false;
  AttentionMethod method = AttentionMethod::last_layer;
};

/// A name for each drawing: the picture's with .png, after its folder's where two pictures share it, and after a
/// number where that is not enough. No longer than a file name can be.
std::vector<std::string> drawing_names(const std::vector<InputFile>& inputs) {
  constexpr std::size_t kMostBytes = 255 - std::string_view(".png").size();
  const auto stem = [](const InputFile& input) { return std::filesystem::path(input.path).stem().string(); };
  std::map<std::string, int> count;
  for (const InputFile& input : inputs) ++count[stem(input)];
  std::set<std::string> taken;
  std::vector<std::string> names;
  for (const InputFile& input : inputs) {
    const std::string folder = std::filesystem::path(input.path).parent_path().filename().string();
    const std::string name = count[stem(input)] > 1 && !folder.empty() ? folder + "-" + stem(input) : stem(input);
    std::string unique = cut_name(name, kMostBytes);
    for (int number = 2; !taken.insert(unique).second; ++number) {
      const std::string ending = concat("-", number);
      unique = cut_name(name, kMostBytes - ending.size()) + ending;
    }
    names.push_back(unique + ".png");
  }
  return names;
}

void check_files(const ExplainArgs& args, const std::vector<InputFile>& inputs, const std::vector<std::string>& names) {
  std::vector<Output> outputs;
  for (const std::string& name : names)
    outputs.push_back({std::filesystem::path(args.output) / name, OutputKind::in_folder});
  std::vector<std::filesystem::path> read{args.model};
  for (const InputFile& input : inputs) read.emplace_back(input.path);
  check_outputs(outputs, read, args.force);
}

int run_explain(const ExplainArgs& args) {
  const std::vector<InputFile> inputs = expand_inputs(args.inputs);
  const std::vector<std::string> names = drawing_names(inputs);
  check_files(args, inputs, names);
  Classifier classifier = Classifier::open(args.model, {.attention_maps = true});
  make_folders(args.output);
  Progress progress("explain");
  std::vector<InputFile> unreadable;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const InputFile& input = inputs[i];
    progress.update(static_cast<int64_t>(i) + 1, static_cast<int64_t>(inputs.size()));
    if (!input.error.empty()) {
      unreadable.push_back(input);
      continue;
    }
    Image image;
    try {
      image = read_image(input.path);
    } catch (const Error& error) {
      unreadable.push_back({input.path, error.what()});
      continue;
    }
    const Explanation explanation = explain(classifier, image, args.method);
    const std::filesystem::path path = std::filesystem::path(args.output) / names[i];
    save_attention(path, explanation);
    std::cout << printable(path.string()) << "  " << printable(input.path);
    if (!explanation.predictions.empty())
      std::cout << "  " << printable(explanation.predictions.front().label) << ' '
                << percent(static_cast<double>(explanation.predictions.front().probability));
    std::cout << '\n';
  }
  progress.finish();
  return report_unreadable(unreadable);
}

}  // namespace

void add_explain_command(CLI::App& root, Run& run) {
  auto* command = root.add_subcommand("explain", "Where the model looks, drawn over the pictures")->group("Commands");
  auto args = std::make_shared<ExplainArgs>();
  command->add_option("MODEL", args->model, "model file (.h5)")->type_name("")->required();
  command->add_option("IMAGE", args->inputs, "pictures, folders (with all below them) and patterns")
      ->type_name("")
      ->required();
  command->add_option("--output", args->output, "folder for the drawings, <picture>.png each")
      ->required()
      ->type_name("DIR")
      ->group("Output");
  add_word_option(*command, "--method", args->method, "attention = of the last layer; rollout = through all layers")
      ->group("Output");
  add_force_option(*command, args->force);
  add_threads_option(*command);
  command->callback([args, &run] { run = [args] { return run_explain(*args); }; });
}

}  // namespace vit::tools
