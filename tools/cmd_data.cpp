// vit data: data sets from files and folders into one HDF5 file, and what such a file holds.
#include <memory>

#include "datasets/dataset.h"
#include "datasets/drawn_digits.h"
#include "datasets/import.h"
#include "datasets/tile_grid.h"
#include "tools/args.h"
#include "tools/commands.h"
#include "tools/progress.h"
#include "tools/report.h"
#include "vit/core/error.h"
#include "vit/core/json_text.h"

namespace vit::tools {
namespace {

struct ImportArgs {
  std::string source, out;
  ImportOptions options;
};

int run_import(const ImportArgs& args) {
  Progress progress("import");
  ImportOptions options = args.options;
  options.progress = [&progress](int64_t done, int64_t total) { progress.update(done, total); };
  const ImportSummary summary = import_dataset(args.source, args.out, options);
  progress.finish();
  std::cout << printable(args.out) << '\n' << class_summary(summary.class_names) << '\n';
  for (const auto& split : summary.splits)
    std::cout << pad_right(split.name, 8) << pad_left(std::to_string(split.images), 9) << " images  checksum "
              << split.checksum << '\n';
  if (summary.ignored > 0)
    std::cout << pad_right("ignored", 8) << pad_left(std::to_string(summary.ignored), 9)
              << " files without a picture's extension or in no class folder\n";
  return report_unreadable(summary.unreadable);
}

void add_import(CLI::App& data, Run& run) {
  auto* command = data.add_subcommand("import", "Make one HDF5 data set file from published files or a folder");
  auto args = std::make_shared<ImportArgs>();
  ImportOptions& options = args->options;
  command->add_option("SRC", args->source, "folder, or .tar, .tar.gz, .tar.xz or .zip of one")
      ->type_name("")
      ->required();
  command->add_option("OUT", args->out, "the HDF5 file to write")->type_name("")->required();
  add_word_option(*command, "--format", options.format,
                  "what SRC holds; folder = a sub-folder a class, or train/val/test above them")
      ->group("Source");
  auto* order =
      add_word_option(*command, "--class-order", options.class_order, "order of class folders: natural puts 10 after 9")
          ->group("Source");
  auto* size = command->add_option("--size", options.size, "side of the stored pictures, in pixels; 0 = as they come")
                   ->capture_default_str()
                   ->type_name("PIXELS")
                   ->check(at_least(0))
                   ->check(within(0, 16384))
                   ->group("Pictures");
  auto* rule = add_word_option(*command, "--resize", options.rule,
                               "with --size: shorter_side = resize and cut the centre, squash = to the square")
                   ->group("Pictures");
  auto* filter =
      add_word_option(*command, "--interpolation", options.interpolation, "with --size: filter of the resize")
          ->group("Pictures");
  command
      ->add_flag("--exif-rotate", options.exif_rotate,
                 "turn pictures upright by their EXIF orientation; a model trained on OUT does so too")
      ->group("Pictures");
  command->add_flag("--encoded", options.encoded, "keep the bytes of each file, decode when they are used")
      ->excludes(size)
      ->group("Pictures");
  command
      ->add_option("--val-fraction", options.val_fraction,
                   "share of train that becomes val where SRC has none; 0 = none")
      ->default_str("0.1")
      ->type_name("FRACTION")
      ->check(within(0, 0.9))
      ->group("Splits");
  auto* seed = command->add_option("--seed", options.seed, "of the draw of val")
                   ->default_str("0")
                   ->type_name("N")
                   ->check(any_seed())
                   ->group("Splits");
  command->add_flag("--force", options.force, "overwrite OUT")->group("Running");
  add_threads_option(*command);
  command->callback([=, &run] {
    const ImportOptions& given = args->options;
    for (const CLI::Option* option : {rule, filter})
      refuse_without_effect(option, given.size == 0, "pictures are stored as they come; --size resizes them");
    const bool folder = given.format == SourceFormat::automatic || given.format == SourceFormat::folder;
    refuse_without_effect(order, !folder, "classes of this format have an order of their own");
    refuse_without_effect(seed, given.val_fraction == 0.0, "--val-fraction 0 draws nothing");
    run = [args] { return run_import(*args); };
  });
}

struct SplitInfo {
  std::string name;
  int64_t images = 0;
  std::vector<int64_t> per_class;
};

SplitInfo describe_split(const Dataset& dataset, const std::string& name) {
  const auto split = dataset.split(name);
  SplitInfo info{name, split->size(), std::vector<int64_t>(dataset.class_names().size())};
  for (int64_t i = 0; i < split->size(); ++i) ++info.per_class[static_cast<size_t>(split->label(i))];
  return info;
}

nlohmann::ordered_json info_json(const std::string& path, const Dataset& dataset) {
  nlohmann::ordered_json splits = nlohmann::ordered_json::array();
  for (const std::string& name : dataset.split_names()) {
    const SplitInfo info = describe_split(dataset, name);
    splits.push_back({{"name", name},
                      {"images", info.images},
                      {"images_per_class", info.per_class},
                      {"checksum", dataset.checksum(name)}});
  }
  return {{"path", printable(path)},
          {"class_names", printable(dataset.class_names())},
          {"image_size", dataset.image_size()},
          {"preprocess", dataset.preprocess()},
          {"splits", splits}};
}

void print_info(const std::string& path, const Dataset& dataset) {
  std::vector<SplitInfo> splits;
  for (const std::string& name : dataset.split_names()) splits.push_back(describe_split(dataset, name));
  std::cout << printable(path) << '\n' << "pictures  ";
  if (dataset.image_size() > 0)
    std::cout << dataset.image_size() << " x " << dataset.image_size() << " pixels\n";
  else
    std::cout << "of any size\n";
  constexpr int64_t kColumn = 9;
  std::cout << pad_right("class", 24);
  for (const SplitInfo& split : splits) std::cout << pad_left(split.name, kColumn);
  std::cout << '\n';
  for (size_t c = 0; c < dataset.class_names().size(); ++c) {
    std::cout << pad_right(printable(dataset.class_names()[c]), 24);
    for (const SplitInfo& split : splits) std::cout << pad_left(std::to_string(split.per_class[c]), kColumn);
    std::cout << '\n';
  }
  std::cout << pad_right("all", 24);
  for (const SplitInfo& split : splits) std::cout << pad_left(std::to_string(split.images), kColumn);
  std::cout << '\n';
}

struct InfoArgs {
  std::string path;
  bool json = false;
};

int run_info(const InfoArgs& args) {
  const auto dataset = open_dataset(args.path);
  if (args.json)
    std::cout << json_text(info_json(args.path, *dataset), 2) << '\n';
  else
    print_info(args.path, *dataset);
  return kDone;
}

void add_info(CLI::App& data, Run& run) {
  auto* command = data.add_subcommand("info", "What a data set holds: classes, splits, counts");
  auto args = std::make_shared<InfoArgs>();
  command->add_option("DATA", args->path, "HDF5 data set or image folder")->type_name("")->required();
  command->add_flag("--json", args->json, "as JSON");
  command->callback([args, &run] { run = [args] { return run_info(*args); }; });
}

struct GridArgs {
  std::string picture, out;
  TileGridOptions options;
};

int run_grid(const GridArgs& args) {
  const TileGridSummary summary = cut_tile_grid(args.picture, args.out, args.options);
  std::cout << printable(args.out) << ": " << summary.classes << " classes, " << summary.train << " train and "
            << summary.test << " test pictures\n";
  return kDone;
}

void add_grid(CLI::App& data, Run& run) {
  auto* command = data.add_subcommand("grid", "Cut a picture of equal tiles into an image folder");
  auto args = std::make_shared<GridArgs>();
  command->add_option("PICTURE", args->picture, "rows of tiles, class 0 at the top")->type_name("")->required();
  command->add_option("OUT", args->out, "the folder to make: OUT/train/<class>/0000.png, ...")
      ->type_name("")
      ->required();
  command->add_option("--tile", args->options.tile, "side of a tile, in pixels")
      ->required()
      ->type_name("PIXELS")
      ->check(at_least(1));
  command->add_option("--rows-per-class", args->options.rows_per_class, "rows of tiles that show one class")
      ->capture_default_str()
      ->type_name("N")
      ->check(at_least(1));
  command->add_option("--test-columns", args->options.test_columns, "last columns of tiles that become the split test")
      ->capture_default_str()
      ->type_name("N")
      ->check(at_least(0));
  command->callback([args, &run] { run = [args] { return run_grid(*args); }; });
}

struct DrawArgs {
  std::string out;
  DrawnDigitsOptions options;
};

int run_draw(const DrawArgs& args) {
  draw_digits(args.out, args.options);
  std::cout << args.out << ": 10 classes, " << 10 * args.options.train << " train and " << 10 * args.options.test
            << " test pictures\n";
  return kDone;
}

void add_draw(CLI::App& data, Run& run) {
  auto* command = data.add_subcommand("draw", "Draw an image folder of digits, to try things out");
  auto args = std::make_shared<DrawArgs>();
  command->add_option("OUT", args->out, "the folder to make: OUT/train/<digit>/0000.png, ...")
      ->type_name("")
      ->required();
  command->add_option("--train", args->options.train, "pictures a digit")
      ->capture_default_str()
      ->type_name("N")
      ->check(at_least(1));
  command->add_option("--test", args->options.test, "pictures a digit")
      ->capture_default_str()
      ->type_name("N")
      ->check(at_least(0));
  command->add_option("--size", args->options.size, "side, in pixels")
      ->capture_default_str()
      ->type_name("PIXELS")
      ->check(at_least(8));
  command->add_option("--seed", args->options.seed, "of all chance")
      ->capture_default_str()
      ->type_name("N")
      ->check(any_seed());
  command->callback([args, &run] { run = [args] { return run_draw(*args); }; });
}

}  // namespace

void add_data_command(CLI::App& root, Run& run) {
  auto* data = root.add_subcommand("data", "Data sets: import, info, grid, draw")->group("Commands");
  data->require_subcommand(1);
  add_import(*data, run);
  add_info(*data, run);
  add_grid(*data, run);
  add_draw(*data, run);
}

}  // namespace vit::tools
