// vit parity: a model beside a dump of another program's.
#include <iostream>
#include <memory>

#include "infer/parity.h"
#include "tools/args.h"
#include "tools/commands.h"
#include "tools/report.h"
#include "vit/core/json_text.h"
#include "vit/io/output.h"

namespace vit::tools {
namespace {

struct ParityArgs {
  std::string model, reference, json;
  bool force = false;
  ParityOptions options;
};

int run_parity(const ParityArgs& args) {
  if (!args.json.empty()) check_outputs({{args.json}}, {args.model, args.reference}, args.force);
  const ParityResult result = compare_with_reference(open_model(args.model), args.model, args.reference, args.options);
  text_beside(args.json) << pad_right("model", 12) << printable(args.model) << '\n' << parity_text(result);
  if (!args.json.empty()) {
    nlohmann::ordered_json json = {{"model", printable(args.model)}, {"reference", printable(args.reference)}};
    json.update(parity_json(result));
    write_output(args.json, json_text(json, 2) + "\n");
  }
  return result.agrees() ? kDone : kFailed;
}

}  // namespace

void add_parity_command(CLI::App& root, Run& run) {
  auto* command = root.add_subcommand("parity", "Where a model parts from the one it was imported from, stage by stage")
                      ->group("Commands");
  auto args = std::make_shared<ParityArgs>();
  command->add_option("MODEL", args->model, "model file (.h5)")->type_name("")->required();
  command->add_option("REFERENCE", args->reference, "dump of the other model, made by tools/parity_dump.py (.h5)")
      ->type_name("")
      ->required();
  command->add_option("--tolerance", args->options.tolerance, "a value agrees within so much times (1 + |reference|)")
      ->capture_default_str()
      ->type_name("X")
      ->check(within(0, 1));
  command->add_option("--json", args->json, "write all figures as JSON; - = standard output")->type_name("FILE");
  add_force_option(*command, args->force);
  add_threads_option(*command);
  command->callback([args, &run] { run = [args] { return run_parity(*args); }; });
}

}  // namespace vit::tools
