// vit classify: what pictures show.
#include <memory>

#include "infer/classify_files.h"
#include "infer/classify_output.h"
#include "infer/inputs.h"
#include "tools/args.h"
#include "tools/commands.h"
#include "tools/progress.h"
#include "tools/report.h"
#include "vit/core/log.h"
#include "vit/io/output.h"

namespace vit::tools {
namespace {

struct ClassifyArgs {
  std::string model, output = "-", embeddings;
  std::vector<std::string> inputs;
  DTypeChoice dtype;
  ClassifyFilesOptions files;
  ClassifyOutputOptions format;
  bool top_k_given = false;
  bool force = false;
};

/// Results to `out`, embeddings to their file; the inputs that could not be read.
std::vector<InputFile> classify_to(std::ostream& out, const ClassifyArgs& args, Classifier& classifier,
                                   const std::vector<InputFile>& inputs, Progress& progress) {
  ClassifyOutputOptions format = args.format;
  format.top_k = args.files.top_k;
  format.path_width = table_path_width(inputs);
  ClassifyWriter writer(out, format);
  EmbeddingsFile embeddings;
  std::vector<InputFile> unreadable;
  classify_files(classifier, inputs, args.files, [&](const FileResult& result) {
    writer.write(result);
    if (args.files.embeddings && result.error.empty()) embeddings.add(result);
    if (!result.error.empty()) unreadable.push_back({result.path, result.error});
    progress.update(result.index + 1, static_cast<int64_t>(inputs.size()));
  });
  writer.finish();
  if (args.files.embeddings) embeddings.save(args.embeddings);
  return unreadable;
}

void check_files(const ClassifyArgs& args, const std::vector<InputFile>& inputs) {
  std::vector<Output> outputs{{args.output}};
  if (!args.embeddings.empty()) outputs.push_back({args.embeddings, OutputKind::file});
  std::vector<std::filesystem::path> read{args.model};
  for (const InputFile& input : inputs) read.emplace_back(input.path);
  check_outputs(outputs, read, args.force);
}

int run_classify(ClassifyArgs args) {
  const std::vector<InputFile> inputs = expand_inputs(args.inputs);
  check_files(args, inputs);
  Classifier classifier = open_classifier(args.model, args.dtype);
  args.files.embeddings = !args.embeddings.empty();
  const int64_t classes = classifier.model().config.classes;
  if (args.top_k_given && args.files.top_k > classes)
    log(LogLevel::info, concat("--top-k ", args.files.top_k, ": the model has ", classes, " classes, all are told"));
  Progress progress("classify");
  std::vector<InputFile> unreadable;
  write_output(args.output,
               [&](std::ostream& out) { unreadable = classify_to(out, args, classifier, inputs, progress); });
  progress.finish();
  return report_unreadable(unreadable);
}

}  // namespace

void add_classify_command(CLI::App& root, Run& run) {
  auto* command = root.add_subcommand("classify", "What pictures show")->group("Commands");
  auto args = std::make_shared<ClassifyArgs>();
  command->add_option("MODEL", args->model, "model file (.h5)")->type_name("")->required();
  command->add_option("PATH", args->inputs, "pictures, folders (with all below them) and patterns")
      ->type_name("")
      ->required();
  auto* top_k = command->add_option("--top-k", args->files.top_k, "answers a picture, best first")
                    ->capture_default_str()
                    ->type_name("N")
                    ->check(at_least(1))
                    ->group("Output");
  add_word_option(*command, "--format", args->format.format, "form of the answers")->group("Output");
  command->add_option("--output", args->output, "write there; - = standard output")
      ->capture_default_str()
      ->type_name("FILE")
      ->group("Output");
  auto* logits =
      command->add_flag("--logits", args->format.logits, "add the logits of all classes (jsonl)")->group("Output");
  command->add_option("--embeddings", args->embeddings, "write the features that the head reads, as HDF5")
      ->type_name("FILE")
      ->group("Output");
  add_force_option(*command, args->force);
  add_batch_option(*command, args->files.batch);
  add_dtype_option(*command, args->dtype);
  add_threads_option(*command);
  command->callback([=, &run] {
    refuse_without_effect(logits, args->format.format != OutputFormat::jsonl, "only --format jsonl has logits");
    args->top_k_given = top_k->count() > 0;
    run = [args] { return run_classify(*args); };
  });
}

}  // namespace vit::tools
