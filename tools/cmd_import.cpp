// vit model import: a published model as a model of ours, and what was recognised.
#include <iostream>
#include <map>
#include <memory>

#include "infer/import_model.h"
#include "preprocess/published.h"
#include "tools/args.h"
#include "tools/commands.h"
#include "tools/report.h"
#include "vit/core/json_text.h"
#include "vit/io/output.h"
#include "vit/model/flops.h"

namespace vit::tools {
namespace {

struct ImportArgs {
  std::string source, out, head, config, json;
  int64_t classes = 0;
  bool force = false, dry_run = false;
  ImportModelOptions options;
};

/// What was recognised, a line each.
class Lines {
 public:
  explicit Lines(std::ostream& out) : out_(out) {}
  void operator()(const char* name, const std::string& text) const {
    out_ << pad_right(name, 13) << printable(text) << '\n';
  }

 private:
  std::ostream& out_;
};

/// One line a reason.
void print_dropped(const std::vector<ImportReport::Dropped>& dropped, const Lines& line) {
  std::map<std::string, std::vector<std::string>> by_reason;
  for (const auto& tensor : dropped) by_reason[tensor.why].push_back(tensor.name);
  for (const auto& [why, names] : by_reason)
    line("dropped",
         concat(names.front(), names.size() > 1 ? concat(" and ", names.size() - 1, " more") : "", ": ", why));
}

/// Known numbers are those of the file; parts that it leaves out (biases of keys) are zeros here.
std::string parameters_text(int64_t theirs, int64_t ours) {
  if (theirs == ours) return std::to_string(ours);
  return concat(theirs, " of the file, ", ours, " here");
}

void print_report(const ImportedModel& imported, const Lines& line) {
  const Model& model = imported.open.model;
  const ModelConfig& c = model.config;
  const ImportReport& report = imported.report;
  line("family", report.family);
  line("model", c.name);
  line("picture",
       concat(c.image_size, " x ", c.image_size, " in patches of ", c.patch_size, ", ", c.tokens().count(), " tokens"));
  line("layers", concat(c.depth, " of width ", c.width, ", ", c.heads, " heads, MLP ", c.mlp_width));
  line("config", json_text(to_json(c)));
  line("parameters", parameters_text(report.parameters, model.layout.parameter_count()));
  line("one picture", concat(fixed(forward_flops(c).total() / 1e9, 3), " GFLOP"));
  line("classes", model.class_names.empty() ? concat(c.classes, " without names: ", report.labels)
                                            : concat(class_summary(model.class_names), " (", report.labels, ")"));
  line("preprocess", concat(json_text(model.preprocess), " (", report.preprocess, ")"));
  line("origin", json_text(model.origin));
  if (!model.origin.contains("licence")) line("note", "the licence is not known (--licence)");
  for (const std::string& text : report.assumed) line("assumed", text);
  for (const std::string& text : report.notes) line("note", text);
  print_dropped(report.dropped, line);
}

nlohmann::ordered_json report_json(const ImportArgs& args, const ImportedModel& imported) {
  const Model& model = imported.open.model;
  const ImportReport& report = imported.report;
  nlohmann::ordered_json dropped = nlohmann::ordered_json::array();
  for (const auto& tensor : report.dropped)
    dropped.push_back({{"name", printable(tensor.name)}, {"why", printable(tensor.why)}});
  return {{"source", printable(args.source)},
          {"out", args.dry_run ? nlohmann::ordered_json() : nlohmann::ordered_json(printable(args.out))},
          {"family", report.family},
          {"config", to_json(model.config)},
          {"parameters", model.layout.parameter_count()},
          {"parameters_of_source", report.parameters},
          {"preprocess", model.preprocess},
          {"preprocess_source", printable(report.preprocess)},
          {"class_names", printable(model.class_names)},
          {"labels_source", printable(report.labels)},
          {"origin", model.origin},
          {"assumed", printable(report.assumed)},
          {"notes", printable(report.notes)},
          {"dropped", dropped}};
}

ImportModelOptions library_options(const ImportArgs& args) {
  ImportModelOptions options = args.options;
  options.config = args.config;
  if (args.head != "new") options.head = args.head;
  if ((args.classes > 0) != (args.head == "new"))
    fail(ErrorKind::usage, "--classes N and --head new belong together: a new head for so many classes");
  if (args.classes > 0) options.new_classes = args.classes;
  return options;
}

int run_import(const ImportArgs& args) {
  const ImportModelOptions options = library_options(args);
  std::vector<std::filesystem::path> inputs{args.source};
  for (const std::filesystem::path& input : {options.config, options.head, std::filesystem::path(options.labels)})
    if (!input.empty()) inputs.push_back(input);
  std::vector<Output> outputs;
  if (!args.dry_run) outputs.push_back({args.out, OutputKind::file});
  if (!args.json.empty()) outputs.push_back({args.json});
  check_outputs(outputs, inputs, args.force);
  const ImportedModel imported = import_model(args.source, options);
  const Lines line(text_beside(args.json));
  print_report(imported, line);
  if (!args.dry_run) {
    save_model(args.out, imported.open.model, imported.open.weights);
    line("written", args.out);
  }
  if (!args.json.empty()) write_output(args.json, json_text(report_json(args, imported), 2) + "\n");
  return kDone;
}

void add_choices(CLI::App& command, ImportArgs& args) {
  ImportModelOptions& options = args.options;
  command.add_option("--family", options.family, "whose names the tensors have, where it is not recognised")
      ->type_name("FAMILY")
      ->check(one_of(import_family_words()));
  command.add_option("--config", args.config, "config.json where it lies elsewhere")->type_name("FILE");
  command.add_option("--preprocess", options.preprocess, "a named rule (below) instead of the one beside the weights")
      ->type_name("RULE")
      ->check(one_of(published_rule_names()));
  command
      .add_option(
          "--labels", options.labels,
          "class names: a file (one a line, CSV of index and name, or JSON), or imagenet-1k or imagenet-1k-synsets")
      ->type_name("FILE");
  command
      .add_option("--image-size", options.image_size,
                  "pictures of another side; positions are resized as the family does")
      ->type_name("PIXELS")
      ->check(at_least(1, 1 << 14));
  command.add_option("--head", args.head, "new: a fresh head for --classes; else a file of a head published apart")
      ->type_name("new|FILE");
  command.add_option("--classes", args.classes, "classes of a new head")->type_name("N")->check(at_least(1, 1 << 20));
  command.add_option("--source", options.source, "where the weights come from, kept in the model")->type_name("TEXT");
  command.add_option("--licence", options.licence, "theirs, kept in the model")->type_name("TEXT");
}

}  // namespace

void add_import_command(CLI::App& parent, Run& run) {
  auto* command = parent.add_subcommand(
      "import", "Weights of timm, torchvision, transformers, open_clip, Google or DINO as a model of ours");
  auto args = std::make_shared<ImportArgs>();
  command->add_option("SRC", args->source, "a .safetensors or .npz file, or the folder of a model")
      ->type_name("")
      ->required();
  command->add_option("OUT", args->out, "model file to write (.h5)")->type_name("")->required();
  add_choices(*command, *args);
  command->add_flag("--dry-run", args->dry_run, "tell what would be imported, write nothing");
  command->add_option("--json", args->json, "write what was recognised as JSON, - for standard output")
      ->type_name("FILE");
  add_force_option(*command, args->force);
  command->footer(
      concat("Families:\n", import_families_help(), "\n\nRules of preprocessing:\n", published_rules_help()));
  command->callback([args, &run] { run = [args] { return run_import(*args); }; });
}

}  // namespace vit::tools
