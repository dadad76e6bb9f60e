// vit train: a model from a data set.
#include <iostream>
#include <memory>
#include <optional>

#include "datasets/dataset.h"
#include "infer/text_format.h"
#include "tools/args.h"
#include "tools/commands.h"
#include "tools/progress.h"
#include "tools/report.h"
#include "tools/stop_signal.h"
#include "tools/train_options.h"
#include "train/checkpoint.h"
#include "train/prepare.h"
#include "train/run_folder.h"
#include "train/trainer.h"
#include "vit/core/error.h"
#include "vit/core/json_fields.h"
#include "vit/io/atomic_file.h"
#include "vit/version.h"

namespace vit::tools {
namespace {

struct TrainArgs {
  std::string data, out, recipe, config;
  TrainChoices choices;  // of single options
  TrainOptions options;
  OpenOptions open;
};

nlohmann::json read_config(const std::string& path) {
  constexpr int64_t kMaxBytes = 1 << 20;
  nlohmann::json json = parse_json(read_file(path, kMaxBytes), "train_config", path);
  if (!json.is_object()) fail(ErrorKind::data, path, ": needs a JSON object of training options");
  return json;
}

/// A run goes on with the options that it began with; those that are given again must be the same.
void check_same_options(const TrainConfig& run, const TrainConfig& asked) {
  nlohmann::json before = complete_json(run), after = complete_json(asked);
  for (nlohmann::json* config : {&before, &after}) {
    config->erase("save_every_steps");                            // which may change
    for (const char* fitted : {"classes", "image_size", "name"})  // to the data: compared when it is known
      if (config->at("model").is_object()) config->at("model").erase(fitted);
  }
  const std::string difference = first_difference(before, after);
  if (!difference.empty())
    fail(ErrorKind::usage, "--resume: ", difference,
         "; a run goes on with the options it began with, start another run to change them");
}

/// Recipe (or, with --resume, what the run was started with) < --config < single options.
TrainConfig resolve_config(const TrainArgs& args) {
  const nlohmann::json file = args.config.empty() ? nlohmann::json::object() : read_config(args.config);
  std::string recipe = args.recipe;
  if (recipe.empty() && file.contains("recipe") && file["recipe"].is_string()) recipe = file["recipe"];
  const TrainConfig base =
      args.options.resume ? load_run_config(args.out) : train_recipe(recipe.empty() ? "default" : recipe);
  TrainConfig config = train_config_from_json(file, base, args.config);
  if (!recipe.empty()) config.recipe = recipe;
  config = with_choices(config, args.choices);
  if (args.options.resume) check_same_options(base, config);
  validate(fit_defaults(config));
  return config;
}

std::string loss_text(const std::optional<double>& loss) { return loss ? fixed(*loss, 4) : "-"; }

std::string epoch_line(const HistoryRow& row, int64_t epochs) {
  std::string text =
      concat("epoch ", pad_left(std::to_string(row.epoch), 3), "/", epochs, "  train loss ", loss_text(row.train_loss));
  if (row.val_loss || row.val_top1) text += concat("  val loss ", loss_text(row.val_loss));
  if (row.val_top1) text += concat("  val top-1 ", pad_left(percent(*row.val_top1), 8));
  return text + concat("  ", pad_left(fixed(row.images_per_second, 0), 6), " images/s  ", fixed(row.seconds, 1), " s");
}

std::string step_line(const StepProgress& p) {
  return concat("epoch ", p.epoch, "/", p.epochs, " step ", p.step, "/", p.steps, "  loss ", fixed(p.loss, 4), "  ",
                fixed(p.images_per_second, 0), " images/s  ", duration_text(p.seconds_left), " left");
}

void print_end(const TrainSummary& summary, const TrainArgs& args) {
  if (summary.nonfinite_steps > 0)
    std::cout << summary.nonfinite_steps << " steps were skipped: their loss or gradients were not finite\n";
  if (summary.stopped) {
    std::cout << "stopped by a signal after " << summary.steps << " steps; all is saved in " << printable(args.out)
              << "/last.h5, go on with: vit train " << printable(args.data) << " --out " << printable(args.out)
              << " --resume\n";
    return;
  }
  if (summary.stopped_early) std::cout << "stopped early: no better epoch since epoch " << summary.best_epoch << '\n';
  std::cout << "best epoch " << summary.best_epoch << ": " << printable(args.out) << "/best.h5\n";
}

int run_train(const TrainArgs& args) {
  const RunFolder folder{args.out};
  if (args.options.resume)
    need_checkpoint(folder);
  else
    check_new_run(folder, {args.data, args.options.init_model, args.config}, args.options.force);
  const TrainConfig config = resolve_config(args);
  const auto dataset = open_dataset(args.data, args.open);
  Progress progress("train");
  TrainOptions options = args.options;
  options.source = args.data;
  options.version = VIT_VERSION;
  options.stop = &watch_stop_signals();
  options.on_step = [&](const StepProgress& p) { progress.show(step_line(p)); };
  options.on_epoch = [&](const HistoryRow& row) {
    progress.finish();
    std::cout << epoch_line(row, config.epochs) << std::endl;
  };
  const TrainSummary summary = train(config, *dataset, args.out, options);
  progress.finish();
  print_end(summary, args);
  return report_unreadable(summary.unreadable);
}

}  // namespace

void add_train_command(CLI::App& root, Run& run) {
  auto* command = root.add_subcommand("train", "Learn a model from labelled pictures")->group("Commands");
  auto args = std::make_shared<TrainArgs>();
  command->add_option("DATA", args->data, "HDF5 data set (vit data import) or image folder")->type_name("")->required();
  add_layout_option(*command, args->open.reading)->group("Run");
  command->add_option("--out", args->out, "folder for best.h5, last.h5, history, curves.png and config.json")
      ->required()
      ->type_name("RUN")
      ->group("Run");
  command->add_flag("--resume", args->options.resume, "go on with the run in RUN, to the same bits")->group("Run");
  command->add_flag("--force", args->options.force, "start anew where RUN holds a run")
      ->excludes("--resume")
      ->group("Run");
  auto* init = command
                   ->add_option("--init", args->options.init_model,
                                "start from these weights; the head keeps the classes of the same name")
                   ->type_name("MODEL")
                   ->group("Run");
  command->add_option("--config", args->config, "JSON of the options below, as RUN/config.json holds them")
      ->type_name("FILE")
      ->group("Run");
  command
      ->add_option("--recipe", args->recipe,
                   "where all options below start [default]: " + joined(train_recipe_names(), ", "))
      ->type_name("NAME")
      ->check(one_of(train_recipe_names()))
      ->group("Run");
  add_train_config_options(*command, args->choices);
  add_threads_option(*command);
  command->footer(
      "Each option starts at the recipe's value (shown: recipe default); --config changes it, the command line\n"
      "has the last word. What nobody chose is fitted to the rest and the data, and the program says to what.\n"
      "SIGINT, SIGTERM and SIGHUP save the run and end it with exit code 0; a second one ends it without saving.");
  command->callback([=, &run] {
    refuse_without_effect(init, args->options.resume, "--resume takes the weights of RUN/last.h5");
    run = [args] { return run_train(*args); };
  });
}

}  // namespace vit::tools
