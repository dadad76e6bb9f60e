// vit model: model files, made and described.
#include <iostream>
#include <memory>

#include "preprocess/config.h"
#include "tools/args.h"
#include "tools/commands.h"
#include "tools/report.h"
#include "vit/core/json_text.h"
#include "vit/core/options.h"
#include "vit/io/output.h"
#include "vit/model/flops.h"
#include "vit/model/model_file.h"

namespace vit::tools {
namespace {

struct InfoArgs {
  std::string path;
  bool json = false;
};

nlohmann::ordered_json info_json(const std::string& path, const Model& model) {
  nlohmann::ordered_json json{
      {"path", printable(path)},
      {"config", to_json(model.config)},
      {"preprocess", model.preprocess},
      {"class_names", printable(model.class_names)},
      {"training", model.training},
      {"quantization", model.quantization.empty() ? nlohmann::json() : to_json(model.quantization)},
      {"parameters", model.layout.parameter_count()},
      {"gflops", forward_flops(model.config).total() / 1e9}};
  if (!model.origin.is_null()) json["origin"] = model.origin;
  return json;
}

/// What the model has unlike the first ViT: "registers 4, rope axial".
std::string parts_text(const ModelConfig& config) {
  const ModelConfig plain;
  std::string text;
  for (const OptionField<ModelConfig>& field : model_options()) {
    const nlohmann::json value = field.member.write(config);
    if (field.stored != Stored::changed || value == field.member.write(plain)) continue;
    text += concat(text.empty() ? "" : ", ", field.name, " ",
                   value.is_string() ? value.get<std::string>() : json_text(value));
  }
  return text;
}

void print_info(const std::string& path, const Model& model) {
  const ModelConfig& c = model.config;
  const auto line = [](const char* name, const std::string& text) { std::cout << pad_right(name, 13) << text << '\n'; };
  line("file", printable(path));
  line("model", printable(c.name));
  const std::string cut =
      c.input_patch() == 1 ? concat("through the tokenizer ", c.tokenizer) : concat("in patches of ", c.patch_size);
  line("picture", concat(c.image_size, " x ", c.image_size, " ", cut, ", ", c.tokens().count(), " tokens"));
  line("layers", concat(c.depth, " of width ", c.width, ", ", c.heads, " heads, MLP ", c.mlp_width));
  if (const std::string parts = parts_text(c); !parts.empty()) line("parts", parts);
  line("parameters", std::to_string(model.layout.parameter_count()));
  line("one picture", concat(fixed(forward_flops(c).total() / 1e9, 3), " GFLOP"));
  line("classes", model.class_names.empty() ? concat(c.classes, " without names") : class_summary(model.class_names));
  line("preprocess", json_text(model.preprocess));
  for (const auto& [name, value] : model.origin.items())
    line(name.c_str(), value.is_string() ? printable(value.get<std::string>()) : json_text(value));
  if (!model.training.is_null()) line("training", json_text(model.training));
  if (model.quantization.empty()) return;
  line("int8", concat(model.quantization.input_scales.size(), " of ", quantizable_weights(model.layout).size(),
                      " matrices of the blocks"));
  if (!model.quantization.record.is_null()) line("quantized", json_text(model.quantization.record));
}

int run_info(const InfoArgs& args) {
  const Model model = load_model(args.path);
  if (args.json)
    std::cout << json_text(info_json(args.path, model), 2) << '\n';
  else
    print_info(args.path, model);
  return kDone;
}

void add_info(CLI::App& parent, Run& run) {
  auto* command = parent.add_subcommand("info", "Architecture, preprocessing, classes and training of a model file");
  auto args = std::make_shared<InfoArgs>();
  command->add_option("MODEL", args->path, "model file (.h5)")->type_name("")->required();
  command->add_flag("--json", args->json, "as JSON");
  command->callback([args, &run] { run = [args] { return run_info(*args); }; });
}

struct InitArgs {
  std::string preset, out;
  int64_t classes = 0;
  uint64_t seed = 0;
  bool force = false;
};

int run_init(const InitArgs& args) {
  check_outputs({{args.out, OutputKind::file}}, {}, args.force);
  ModelConfig config = model_preset(args.preset);
  config.classes = args.classes;
  Model model = make_model(config, args.seed);
  PreprocessConfig preprocess;
  preprocess.size = preprocess.resize_size = config.image_size;
  model.preprocess = to_json(preprocess);
  save_model(args.out, model);
  std::cout << printable(args.out) << ": " << args.preset << " with " << model.layout.parameter_count()
            << " untrained parameters\n";
  return kDone;
}

void add_init(CLI::App& parent, Run& run) {
  auto* command = parent.add_subcommand("init", "Write an untrained model");
  auto args = std::make_shared<InitArgs>();
  command->add_option("OUT", args->out, "model file to write (.h5)")->type_name("")->required();
  command->add_option("--model", args->preset, "one of " + joined(model_preset_names(), ", "))
      ->required()
      ->type_name("PRESET")
      ->check(one_of(model_preset_names()));
  command->add_option("--classes", args->classes, "number of classes")
      ->required()
      ->type_name("N")
      ->check(at_least(1))
      ->check(within(1, 1 << 20));
  command->add_option("--seed", args->seed, "of the weights")->capture_default_str()->type_name("N")->check(any_seed());
  command->add_flag("--force", args->force, "overwrite OUT");
  command->callback([args, &run] { run = [args] { return run_init(*args); }; });
}

}  // namespace

void add_model_command(CLI::App& root, Run& run) {
  auto* model = root.add_subcommand("model", "Model files: info, init, quantize")->group("Commands");
  model->require_subcommand(1);
  add_info(*model, run);
  add_init(*model, run);
  add_quantize_command(*model, run);
}

}  // namespace vit::tools
