// vit eval: a model against labelled pictures.
#include <iostream>
#include <memory>

#include "datasets/dataset.h"
#include "infer/evaluate.h"
#include "infer/report.h"
#include "preprocess/picture_names.h"
#include "tools/args.h"
#include "tools/commands.h"
#include "tools/progress.h"
#include "tools/report.h"
#include "vit/core/parallel.h"
#include "vit/io/output.h"

namespace vit::tools {
namespace {

struct EvalArgs {
  std::string model, data, split, json, report;
  bool force = false;
  DTypeChoice dtype;
  EvaluateOptions options;
  OpenOptions open;
};

void check_files(const EvalArgs& args) {
  std::vector<Output> outputs;
  if (!args.json.empty()) outputs.push_back({args.json});
  if (!args.report.empty())
    for (const std::filesystem::path& file : report_files(args.report))
      outputs.push_back({file, OutputKind::in_folder});
  check_outputs(outputs, {args.model, args.data}, has_image_extension, args.force);
}

int run_eval(const EvalArgs& args) {
  check_files(args);
  Classifier classifier = open_classifier(args.model, args.dtype);
  const auto dataset = open_dataset(args.data, args.open);
  Progress progress("eval");
  EvaluateOptions options = args.options;
  options.progress = [&progress](int64_t done, int64_t total) { progress.update(done, total); };
  const std::string split = args.split.empty() ? default_eval_split(*dataset) : args.split;
  const Evaluation evaluation = evaluate(classifier, *dataset, split, options);
  progress.finish();
  const ReportContext context{args.model, args.data, classifier.engine().dtype(), thread_count()};
  text_beside(args.json) << report_text(evaluation, context);
  if (!args.json.empty()) write_output(args.json, report_json_text(evaluation, context));
  if (!args.report.empty()) write_report(args.report, evaluation, context);
  return report_unreadable(evaluation.unreadable);
}

}  // namespace

void add_eval_command(CLI::App& root, Run& run) {
  auto* command = root.add_subcommand("eval", "Accuracy of a model on labelled pictures")->group("Commands");
  auto args = std::make_shared<EvalArgs>();
  command->add_option("MODEL", args->model, "model file (.h5)")->type_name("")->required();
  command->add_option("DATA", args->data, "HDF5 data set or image folder")->type_name("")->required();
  command->add_option("--split", args->split, "train, val or test; the default is the last of these that is there")
      ->type_name("NAME")
      ->group("Data");
  add_layout_option(*command, args->open.reading)->group("Data");
  command->add_option("--json", args->json, "write all figures as JSON; - = standard output")
      ->type_name("FILE")
      ->group("Output");
  command
      ->add_option("--report", args->report,
                   "write report.txt, .json, .html, every answer and the confusion matrix there")
      ->type_name("DIR")
      ->group("Output");
  add_force_option(*command, args->force);
  add_batch_option(*command, args->options.batch);
  add_dtype_option(*command, args->dtype);
  add_threads_option(*command);
  command->callback([args, &run] { run = [args] { return run_eval(*args); }; });
}

}  // namespace vit::tools
