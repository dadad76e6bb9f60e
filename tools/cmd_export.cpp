// vit model export: a model for other programs.
#include <filesystem>
#include <iostream>
#include <memory>

#include "infer/export/export_model.h"
#include "tools/args.h"
#include "tools/commands.h"
#include "tools/report.h"
#include "vit/core/text.h"
#include "vit/io/output.h"
#include "vit/version.h"

namespace vit::tools {
namespace {

struct ExportArgs {
  std::string model, out;
  bool force = false;
  ExportOptions options;
};

std::string size_text(const std::filesystem::path& path) {
  const auto bytes = static_cast<double>(std::filesystem::file_size(path));
  return bytes < 1e5 ? fixed(bytes / 1e3, 1) + " kB" : fixed(bytes / 1e6, 2) + " MB";
}

void print_files(const ExportPlan& plan) {
  for (const ExportFile& file : plan.files)
    std::cout << pad_right("file", 12) << printable(file.path.string()) << ", " << size_text(file.path) << '\n';
}

int run_export(const ExportArgs& args) {
  const OpenModel model = open_model(args.model);
  const ExportPlan plan = plan_export(model, args.out, args.options);
  std::vector<Output> outputs;
  for (const ExportFile& file : plan.files)
    outputs.push_back({file.path, plan.folder ? OutputKind::in_folder : OutputKind::file});
  check_outputs(outputs, {args.model}, args.force);
  write_export(plan, args.out);
  std::cout << pad_right("model", 12) << printable(args.model) << ", " << printable(model.model.config.name) << '\n'
            << pad_right("schema", 12) << word_of(args.options.schema) << '\n';
  for (const std::string& note : plan.notes) std::cout << pad_right("note", 12) << note << '\n';
  print_files(plan);
  return kDone;
}

}  // namespace

void add_export_command(CLI::App& parent, Run& run) {
  auto* command = parent.add_subcommand("export", "Write a model for timm, transformers, torchvision or ONNX");
  auto args = std::make_shared<ExportArgs>();
  args->options.version = VIT_VERSION;
  command->add_option("MODEL", args->model, "model file (.h5)")->type_name("")->required();
  command->add_option("OUT", args->out, "folder to write, or one file: .safetensors, .onnx")->type_name("")->required();
  const CLI::Option* schema =
      add_word_option(*command, "--schema", args->options.schema,
                      "whose names the weights have, hf = transformers; onnx = a graph, also where OUT ends in .onnx");
  add_force_option(*command, args->force);
  command->callback([args, schema, &run] {
    if (schema->count() == 0 && std::filesystem::path(args->out).extension() == ".onnx")
      args->options.schema = ExportSchema::onnx;
    run = [args] { return run_export(*args); };
  });
}

}  // namespace vit::tools
