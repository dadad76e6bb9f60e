// vit model quantize: a trained model to int8, and what that costs.
#include <filesystem>
#include <iostream>
#include <memory>

#include "infer/quantize.h"
#include "preprocess/picture_names.h"
#include "tools/args.h"
#include "tools/commands.h"
#include "tools/progress.h"
#include "tools/report.h"
#include "vit/core/json_text.h"
#include "vit/io/output.h"

namespace vit::tools {
namespace {

struct QuantizeArgs {
  std::string model, out, data, json;
  bool force = false;
  double max_loss_points = 0.1;
  QuantizeOptions options;
  OpenOptions open;
};

std::string size_text(const std::string& path) {
  return fixed(static_cast<double>(std::filesystem::file_size(path)) / 1e6, 2) + " MB";
}

int run_quantize(const QuantizeArgs& args) {
  std::vector<Output> outputs{{args.out, OutputKind::file}};
  if (!args.json.empty()) outputs.push_back({args.json});
  check_outputs(outputs, {args.model, args.data}, has_image_extension, args.force);
  QuantizeOptions options = args.options;
  options.max_loss = args.max_loss_points / 100;
  options.data_name = args.data;
  const auto data = open_dataset(args.data, args.open);
  Progress progress("quantize");
  options.progress = [&progress](std::string_view phase, int64_t done, int64_t total) {
    progress.show(concat("quantize: ", phase, ", ", done, " of ", total, " pictures"));
  };
  const QuantizeResult result = quantize(load_model(args.model), *data, options);
  progress.finish();
  save_model(args.out, result.model);
  text_beside(args.json) << pad_right("model", 12) << printable(args.model) << ", " << size_text(args.model) << '\n'
                         << pad_right("int8 model", 12) << printable(args.out) << ", " << size_text(args.out) << '\n'
                         << quantize_text(result);
  if (args.json.empty()) return kDone;
  nlohmann::ordered_json json = {{"model", printable(args.model)}, {"out", printable(args.out)}};
  json.update(quantize_json(result, options));
  write_output(args.json, json_text(json, 2) + "\n");
  return kDone;
}

void add_method_options(CLI::App& command, QuantizeArgs& args) {
  command.add_option("--images", args.options.images, "to calibrate with; never also evaluated")
      ->capture_default_str()
      ->type_name("N")
      ->check(at_least(1))
      ->group("Calibration");
  add_word_option(command, "--clip", args.options.clip,
                  "range of the inputs: mse = of least squared error, max = nothing is cut off")
      ->group("Calibration");
  command
      .add_option("--migration", args.options.migration,
                  "share of the inputs' unevenness that moves into the weights (SmoothQuant); 0 = none")
      ->capture_default_str()
      ->type_name("SHARE")
      ->check(within(0, 1))
      ->group("Calibration");
  command.add_option("--seed", args.options.seed, "of the choice of pictures")
      ->capture_default_str()
      ->type_name("N")
      ->check(any_seed())
      ->group("Calibration");
  command
      .add_option("--max-loss", args.max_loss_points,
                  "of top-1, in points; the most sensitive weights stay in bf16 where int8 loses more")
      ->capture_default_str()
      ->type_name("POINTS")
      ->check(within(0, 100))
      ->group("Evaluation");
  command
      .add_option("--split", args.options.split,
                  "to evaluate: train, val or test; the default is the last of these that is there")
      ->type_name("NAME")
      ->group("Evaluation");
  command.add_option("--eval-images", args.options.eval_images, "to evaluate at most; 0 = all of the split")
      ->capture_default_str()
      ->type_name("N")
      ->check(at_least(0))
      ->group("Evaluation");
}

}  // namespace

void add_quantize_command(CLI::App& parent, Run& run) {
  auto* command = parent.add_subcommand("quantize", "Make an int8 model, and measure what that costs");
  auto args = std::make_shared<QuantizeArgs>();
  command->add_option("MODEL", args->model, "model file (.h5)")->type_name("")->required();
  command->add_option("OUT", args->out, "int8 model file to write (.h5)")->type_name("")->required();
  command->add_option("--calibration", args->data, "HDF5 data set or image folder with the model's classes")
      ->required()
      ->type_name("DATA")
      ->group("Calibration");
  add_layout_option(*command, args->open.reading)->group("Calibration");
  add_method_options(*command, *args);
  command->add_option("--json", args->json, "write all figures as JSON; - = standard output")
      ->type_name("FILE")
      ->group("Output");
  add_force_option(*command, args->force);
  add_batch_option(*command, args->options.batch);
  add_threads_option(*command);
  command->callback([args, &run] { run = [args] { return run_quantize(*args); }; });
}

}  // namespace vit::tools
