// vit bench: speed of a model on this machine.
#include <iostream>
#include <memory>

#include "infer/bench.h"
#include "tools/args.h"
#include "tools/commands.h"
#include "tools/report.h"
#include "train/bench_training.h"
#include "train/config.h"
#include "vit/core/cpu.h"
#include "vit/core/error.h"
#include "vit/core/json_text.h"
#include "vit/core/parallel.h"
#include "vit/io/output.h"

namespace vit::tools {
namespace {

/// What of a preset is another size; 0 = as it is.
struct Resized {
  int64_t image_size = 0, depth = 0, width = 0, heads = 0;
};

struct BenchArgs {
  std::string model, preset, json;
  Resized resized;
  bool train = false, force = false;
  int64_t batch = 0;
  BenchOptions options;
  DTypeChoice dtype;
  EngineMode mode = EngineMode::automatic;
  Recompute recompute = Recompute::none;
};

void print_result(std::ostream& out, const BenchResult& r, const BenchContext& c) {
  const auto line = [&out](const char* name, const std::string& text) { out << pad_right(name, 12) << text << '\n'; };
  line("model", concat(printable(c.model), c.train ? ", training step" : ", inference"));
  line("run", concat("batch ", c.batch, ", ", dtype_name(c.dtype), ", ", c.threads,
                     c.threads == 1 ? " thread, " : " threads, ", isa_name(active_isa())));
  line("throughput", concat(fixed(r.images_per_second, 1), " images/s"));
  line("step", concat("p50 ", fixed(r.p50_ms, 2), " ms, p95 ", fixed(r.p95_ms, 2), " ms, p99 ", fixed(r.p99_ms, 2),
                      " ms (", r.steps, " steps)"));
  line("arithmetic", concat(fixed(r.gflops, 1), " GFLOP/s, ", percent(r.gflops / c.peak_gflops, 1), " of the peak of ",
                            fixed(c.peak_gflops, 1), " (", dtype_name(c.dtype), " multiply-adds in registers)"));
  line("memory", concat(fixed(r.peak_rss_mb, 1), " MB at most"));
}

/// The preset with some sizes changed, which its name then tells. A new width keeps the head size and the ratio of the
/// mlp's width to it.
ModelConfig resized_preset(const std::string& preset, const Resized& sizes) {
  ModelConfig config = model_preset(preset.empty() ? "vit_tiny_patch16_224" : preset);
  if (sizes.width > 0) {
    config.heads = sizes.width / config.head_size();
    config.mlp_width = sizes.width * (config.mlp_width / config.width);
  }
  const auto change = [&](const char* name, int64_t wanted, int64_t& size) {
    if (wanted == 0) return;
    size = wanted;
    config.name += concat(" ", name, "=", wanted);
  };
  change("image-size", sizes.image_size, config.image_size);
  change("depth", sizes.depth, config.depth);
  change("width", sizes.width, config.width);
  change("heads", sizes.heads, config.heads);
  validate(config);
  return config;
}

OpenModel untrained(const std::string& preset, const Resized& sizes, bool quantized) {
  OpenModel open;
  open.model.config = resized_preset(preset, sizes);
  open.model.layout = parameter_layout(open.model.config);
  open.weights = fresh_parameters(open.model.config, 0);
  if (!quantized) return open;
  // Nobody looks at the answers, and the time of a product does not depend on its values: any scale serves.
  for (const std::string& weight : quantizable_weights(open.model.layout))
    open.model.quantization.input_scales[weight] = 1.0f / 32;
  return open;
}

StepOptions step_options(const BenchArgs& args, DType dtype) {
  TrainConfig config;
  config.label_smoothing = 0.1f;
  return {.dtype = dtype, .recompute = args.recompute, .objective = make_objective(config)};
}

int run_bench(const BenchArgs& args) {
  const bool from_file = !args.model.empty();
  if (!args.json.empty()) check_outputs({{args.json}}, {args.model}, args.force);
  if (from_file && !args.preset.empty()) fail(ErrorKind::usage, "bench takes MODEL or --model, not both");
  const Resized& r = args.resized;
  if (from_file && (r.image_size > 0 || r.depth > 0 || r.width > 0 || r.heads > 0))
    fail(ErrorKind::usage, "--image-size, --depth, --width and --heads change a preset (--model), not a MODEL");
  const OpenModel open =
      from_file ? open_model(args.model) : untrained(args.preset, args.resized, args.dtype.word == "int8");
  const ModelConfig& config = open.model.config;
  const bool quantized = !open.model.quantization.empty();
  if (args.train && args.dtype.word == "int8") fail(ErrorKind::usage, "bench --train: needs --dtype fp32 or bf16");
  const EngineOptions engine{.dtype = args.dtype.of(quantized && !args.train), .mode = args.mode};
  BenchContext context{.model = from_file ? args.model : config.name,
                       .dtype = runnable_dtype(engine.dtype),
                       .batch = args.batch > 0 ? args.batch : (args.train ? 32 : 1),
                       .threads = thread_count(),
                       .train = args.train};
  const BenchResult result =
      args.train ? bench_training(config, step_options(args, context.dtype), context.batch, args.options)
                 : bench_inference(open, engine, context.batch, args.options);
  context.peak_gflops = peak_gflops_of_all_threads(context.dtype);
  std::ostream& out = text_beside(args.json);
  print_result(out, result, context);
  if (args.options.profile) out << '\n' << profile_text(result, context);
  if (!args.json.empty()) write_output(args.json, json_text(bench_json(result, context), 2) + "\n");
  return kDone;
}

}  // namespace

void add_bench_command(CLI::App& root, Run& run) {
  auto* command = root.add_subcommand("bench", "Speed of a model on this machine")->group("Commands");
  auto args = std::make_shared<BenchArgs>();
  command->add_option("MODEL", args->model, "model file (.h5)")->type_name("");
  command
      ->add_option("--model", args->preset,
                   "untrained instead of a file [vit_tiny_patch16_224]: " + joined(model_preset_names(), ", "))
      ->type_name("PRESET")
      ->check(one_of(model_preset_names()))
      ->group("What");
  const auto add_size = [&](const char* name, int64_t& size, const char* description) {
    command->add_option(name, size, description)
        ->capture_default_str()
        ->type_name("N")
        ->check(at_least(0))
        ->check(within(0, 65536))
        ->group("What");
  };
  add_size("--image-size", args->resized.image_size, "another size of the preset's pictures; 0 = its own");
  add_size("--depth", args->resized.depth, "another number of blocks; 0 = the preset's");
  add_size("--width", args->resized.width, "another width, with heads of the same size; 0 = the preset's");
  add_size("--heads", args->resized.heads, "another number of heads; 0 = by the width");
  command->add_flag("--train", args->train, "measure training steps (forward, backward, clipping, AdamW)")
      ->group("What");
  command->add_option("--batch", args->batch, "pictures a step; 0 = 1, with --train 32")
      ->capture_default_str()
      ->type_name("N")
      ->check(at_least(0))
      ->check(within(0, 65536))
      ->group("What");
  command->add_option("--seconds", args->options.seconds, "of measurement")
      ->capture_default_str()
      ->type_name("S")
      ->check(within(0, 86400))
      ->group("Running");
  command->add_flag("--profile", args->options.profile, "also say where the time of a step goes")->group("What");
  command->add_option("--json", args->json, "write the figures as JSON; - = standard output")
      ->type_name("FILE")
      ->group("Output");
  add_force_option(*command, args->force);
  add_dtype_option(*command, args->dtype);
  auto* mode = add_word_option(
                   *command, "--mode", args->mode,
                   "throughput = images side by side, latency = all threads on one image; auto = by batch and threads")
                   ->group("Running");
  auto* recompute = add_word_option(*command, "--recompute", args->recompute,
                                    "with --train: activations that backward computes again instead of keeping them")
                        ->group("Running");
  add_threads_option(*command);
  command->callback([=, &run] {
    refuse_without_effect(mode, args->train, "training steps always take images side by side");
    refuse_without_effect(recompute, !args->train, "inference keeps no activations; --train measures training steps");
    run = [args] { return run_bench(*args); };
  });
}

}  // namespace vit::tools
