// vit explain: where the model looks.
#include <filesystem>
#include <memory>
#include <set>

#include "infer/attention_overlay.h"
#include "infer/explain.h"
#include "infer/inputs.h"
#include "tools/args.h"
#include "tools/commands.h"
#include "tools/progress.h"
#include "tools/report.h"
#include "vit/core/error.h"

namespace vit::tools {
namespace {

struct ExplainArgs {
  std::string model, output;
  std::vector<std::string> inputs;
  AttentionMethod method = AttentionMethod::last_layer;
};

constexpr Word<AttentionMethod> kMethods[] = {{"attention", AttentionMethod::last_layer},
                                              {"rollout", AttentionMethod::rollout}};

/// The picture's name with .png; with a number where two pictures of different folders share it.
std::filesystem::path output_name(const std::filesystem::path& picture, std::set<std::string>& taken) {
  const std::string stem = picture.stem().string();
  std::string name = stem + ".png";
  for (int number = 2; !taken.insert(name).second; ++number) name = stem + "-" + std::to_string(number) + ".png";
  return name;
}

int run_explain(const ExplainArgs& args) {
  const std::vector<InputFile> inputs = expand_inputs(args.inputs);
  Classifier classifier = Classifier::open(args.model);
  std::filesystem::create_directories(args.output);
  Progress progress("explain");
  std::set<std::string> taken;
  std::vector<InputFile> unreadable;
  int64_t done = 0;
  for (const InputFile& input : inputs) {
    progress.update(++done, static_cast<int64_t>(inputs.size()));
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
    const std::filesystem::path path = std::filesystem::path(args.output) / output_name(input.path, taken);
    save_attention(path, explanation);
    std::cout << path.string() << "  " << input.path;
    if (!explanation.predictions.empty())
      std::cout << "  " << one_line(explanation.predictions.front().label) << ' '
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
  add_word_option(*command, "--method", kMethods, args->method,
                  "attention = of the last layer; rollout = through all layers")
      ->group("Output");
  add_threads_option(*command);
  command->callback([args, &run] { run = [args] { return run_explain(*args); }; });
}

}  // namespace vit::tools
