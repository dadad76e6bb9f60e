// vit data: data sets from files and folders into one HDF5 file, and what such a file holds.
#include <algorithm>
#include <functional>
#include <iostream>
#include <memory>
#include <numeric>

#include "datasets/dataset.h"
#include "datasets/drawn_digits.h"
#include "datasets/folder_shape.h"
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

constexpr size_t kMostRows = 40;  // of a table of classes

/// Pictures of each class in each split.
struct CountTable {
  std::vector<std::string> splits;
  std::vector<std::vector<int64_t>> counts;  // [split][class]
};

void print_row(const std::string& name, const CountTable& table, const std::function<int64_t(size_t)>& count) {
  constexpr int64_t kColumn = 9;
  std::cout << pad_right(name, 24);
  for (size_t s = 0; s < table.splits.size(); ++s) std::cout << pad_left(std::to_string(count(s)), kColumn);
  std::cout << '\n';
}

/// At most `rows` classes; the rest as one row.
void print_counts(const CountTable& table, const std::vector<std::string>& classes, size_t rows) {
  constexpr int64_t kColumn = 9;
  std::cout << pad_right("class", 24);
  for (const std::string& split : table.splits) std::cout << pad_left(split, kColumn);
  std::cout << '\n';
  const auto sum = [&](size_t split, size_t from) {
    const auto& counts = table.counts[split];
    return std::accumulate(counts.begin() + static_cast<std::ptrdiff_t>(from), counts.end(), int64_t{0});
  };
  const size_t shown = classes.size() <= rows ? classes.size() : rows - 1;
  for (size_t c = 0; c < shown; ++c)
    print_row(printable(classes[c]), table, [&](size_t split) { return table.counts[split][c]; });
  if (shown < classes.size())
    print_row("and " + std::to_string(classes.size() - shown) + " more", table,
              [&](size_t split) { return sum(split, shown); });
  print_row("all", table, [&](size_t split) { return sum(split, 0); });
}

/// What an import is going to do.
void print_plan(const std::string& source, const ImportPlan& plan) {
  std::cout << "plan for " << printable(source);
  if (!plan.around.empty()) std::cout << ", inside " << printable(plan.around);
  std::cout << '\n';
  CountTable table;
  for (size_t s = 0; s < std::size(kSplitNames); ++s) {
    const auto& counts = plan.pictures[s];
    if (std::all_of(counts.begin(), counts.end(), [](int64_t n) { return n == 0; })) continue;
    table.splits.emplace_back(kSplitNames[s]);
    table.counts.push_back(counts);
  }
  print_counts(table, plan.class_names, kMostRows);
  for (const auto& folder : plan.split_folders)
    std::cout << kSplitNames[static_cast<size_t>(folder.split)] << " is " << printable(folder.path) << '\n';
  if (plan.reading == FolderReading::inner_splits) std::cout << "splits are folders in each class\n";
  for (const std::string& note : plan.notes) std::cout << printable(note) << '\n';
  std::cout << std::flush;
}

struct ImportArgs {
  std::string source, out;
  ImportOptions options;
};

int run_import(const ImportArgs& args) {
  Progress progress("import");
  ImportOptions options = args.options;
  options.progress = [&progress](int64_t done, int64_t total) { progress.update(done, total); };
  options.plan = [&](const ImportPlan& plan) {
    progress.finish();
    print_plan(args.source, plan);
  };
  const ImportSummary summary = import_dataset(args.source, args.out, options);
  progress.finish();
  std::cout << printable(args.out) << '\n' << class_summary(summary.class_names) << '\n';
  for (const auto& split : summary.splits)
    std::cout << pad_right(split.name, 8) << pad_left(std::to_string(split.images), 9) << " images  checksum "
              << split.checksum << '\n';
  if (summary.ignored > 0)
    std::cout << pad_right("ignored", 8) << pad_left(std::to_string(summary.ignored), 9)
              << " files without a picture's extension or in no class folder\n";
  for (const std::string& note : summary.notes) std::cout << printable(note) << '\n';
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
  add_layout_option(*command, options.reading)->group("Source");
  auto* order =
      add_word_option(*command, "--class-order", options.class_order, "order of class folders: natural puts 10 after 9")
          ->group("Source");
  auto* size = command->add_option("--size", options.size, "side of the stored pictures, in pixels; 0 = as they come")
                   ->capture_default_str()
                   ->type_name("PIXELS")
                   ->check(at_least(0))
                   ->check(within(0, 16384))
                   ->group("Pictures");
  auto* rule =
      add_word_option(*command, "--resize", options.rule,
                      "with --size: shorter_side = resize and cut the centre, squash = to the square, longer_side = "
                      "black borders")
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
                   "share of each class in train that becomes val where SRC has none; one picture stays; 0 = none")
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
  CountTable table;
  for (const SplitInfo& split : splits) {
    table.splits.push_back(split.name);
    table.counts.push_back(split.per_class);
  }
  const std::vector<std::string>& classes = dataset.class_names();
  print_counts(table, classes, classes.size());
  std::vector<std::string> empty;
  for (size_t c = 0; c < classes.size(); ++c)
    if (std::all_of(table.counts.begin(), table.counts.end(), [&](const auto& counts) { return counts[c] == 0; }))
      empty.push_back(classes[c]);
  if (!empty.empty())
    std::cout << "classes without pictures: " << empty.size() << " (" << printable(short_list(empty)) << ")\n";
}

struct InfoArgs {
  std::string path;
  OpenOptions open;
  bool json = false;
};

int run_info(const InfoArgs& args) {
  const auto dataset = open_dataset(args.path, args.open);
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
  add_layout_option(*command, args->open.reading);
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
      ->check(at_least(8, 16384));
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
