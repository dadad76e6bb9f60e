// Help, versions, misspellings and exit code 2.
#include <gtest/gtest.h>

#include "tests/support/run_program.h"

namespace vit::test {
namespace {

struct HelpCase {
  std::vector<std::string> command;
  std::vector<std::string> words;  // of its help
};

void PrintTo(const HelpCase& help, std::ostream* out) { *out << testing::PrintToString(help.command); }

class Help : public testing::TestWithParam<HelpCase> {};

TEST_P(Help, NamesArgumentsOptionsAndDefaults) {
  std::vector<std::string> command = GetParam().command;
  command.push_back("--help");
  const ProgramResult result = run_vit(command);
  ASSERT_TRUE(ended_with(result, 0));
  EXPECT_EQ(result.err, "");
  for (const std::string& word : GetParam().words) EXPECT_NE(result.out.find(word), std::string::npos) << word;
}

INSTANTIATE_TEST_SUITE_P(
    Commands, Help,
    testing::Values(
        HelpCase{{}, {"train", "eval", "classify", "explain", "data", "model", "bench", "--version", "Exit codes"}},
        HelpCase{{"train"},
                 {"DATA",
                  "--out RUN",
                  "(required)",
                  "--resume",
                  "--init",
                  "--config",
                  "--recipe",
                  "--model",
                  "--epochs",
                  "--batch",
                  "--accumulate",
                  "--lr",
                  "--min-lr",
                  "--schedule",
                  "--warmup-epochs",
                  "--weight-decay",
                  "--clip",
                  "--ema",
                  "--label-smoothing",
                  "--dropout",
                  "--attention-dropout",
                  "--drop-path",
                  "--augment-flip",
                  "--augment-rotate",
                  "--early-stop",
                  "--seed",
                  "--threads",
                  "[0.001]",
                  "Optimizer:"}},
        HelpCase{{"eval"}, {"MODEL", "DATA", "--split", "--json", "--report", "--dtype", "--threads"}},
        HelpCase{{"classify"},
                 {"PATH", "--top-k N", "[5]", "--format table|csv|jsonl", "--output", "--logits", "--embeddings"}},
        HelpCase{{"explain"}, {"IMAGE", "--output", "--method attention|rollout"}},
        HelpCase{{"data"}, {"import", "info", "grid", "draw"}},
        HelpCase{{"data", "import"},
                 {"SRC", "OUT", "--format auto|folder|cifar10|cifar100|mnist", "--size", "--encoded", "--val-fraction",
                  "[0.1]", "--seed", "--force"}},
        HelpCase{{"data", "info"}, {"DATA", "--json"}},
        HelpCase{{"data", "grid"}, {"PICTURE", "--tile", "--rows-per-class", "--test-columns"}},
        HelpCase{{"data", "draw"}, {"OUT", "--train", "--test", "--size", "--seed"}},
        HelpCase{{"model"}, {"info", "init"}}, HelpCase{{"model", "info"}, {"MODEL", "--json"}},
        HelpCase{{"model", "init"}, {"OUT", "--model", "--classes", "--seed", "vit_tiny_patch16_224"}},
        HelpCase{{"bench"},
                 {"MODEL", "--model", "--image-size", "--depth", "--width", "--heads", "--train", "--batch",
                  "--seconds", "--json", "--threads"}}),
    [](const auto& instance) {
      std::string name = "vit";
      for (const std::string& word : instance.param.command) name += "_" + word;
      return name;
    });

TEST(Version, NamesProgramProcessorAndLibraries) {
  const ProgramResult result = run_vit({"--version"});
  ASSERT_TRUE(ended_with(result, 0));
  for (const char* word : {"vit 0.1.0 (commit ", "processor: ", "vector code: ", "oneDNN ", "Highway ", "oneTBB ",
                           "OpenCV ", "HDF5 ", "libarchive "})
    EXPECT_NE(result.out.find(word), std::string::npos) << word << " is not in " << result.out;
}

struct UsageCase {
  std::string name;
  std::vector<std::string> command;
  std::vector<std::string> words;  // of the one line on stderr
};

void PrintTo(const UsageCase& usage, std::ostream* out) { *out << testing::PrintToString(usage.command); }

class Usage : public testing::TestWithParam<UsageCase> {};

TEST_P(Usage, IsOneLineAndExitCode2) {
  const ProgramResult result = run_vit(GetParam().command);
  EXPECT_TRUE(failed_with(result, 2, GetParam().words));
  EXPECT_EQ(result.out, "");
}

INSTANTIATE_TEST_SUITE_P(
    Mistakes, Usage,
    testing::Values(
        UsageCase{"no_command", {}, {"needs a command", "classify", "vit --help"}},
        UsageCase{"misspelt_command", {"trian", "data.h5", "--out", "run"}, {"'trian'", "did you mean 'train'?"}},
        UsageCase{"misspelt_sub_command", {"data", "imprt", "a", "b"}, {"'imprt'", "did you mean 'import'?"}},
        UsageCase{"unknown_command", {"frobnicate"}, {"no command 'frobnicate'; see vit --help"}},
        UsageCase{"misspelt_option", {"train", "a.h5", "--ot", "run"}, {"--ot", "did you mean '--out'?"}},
        UsageCase{"misspelt_option_with_value",
                  {"train", "a", "--out", "b", "--epoch=3"},
                  {"no option --epoch (", "'--epochs'?"}},
        UsageCase{"misspelt_root_option", {"--versoin"}, {"--versoin", "'--version'?"}},
        UsageCase{"misspelt_word", {"data", "import", "a", "b", "--format", "foldr"}, {"'foldr'", "'folder'?"}},
        UsageCase{"missing_argument", {"eval", "a.h5"}, {"DATA is required", "vit eval --help"}},
        UsageCase{"missing_option", {"train", "a.h5"}, {"--out is required"}},
        UsageCase{"extra_argument", {"eval", "a", "b", "c"}, {"unexpected argument 'c'"}},
        UsageCase{"not_a_number", {"train", "a", "--out", "b", "--epochs", "abc"}, {"--epochs", "'abc'"}},
        UsageCase{"fraction_for_a_count", {"train", "a", "--out", "b", "--epochs", "1.5"}, {"--epochs", "'1.5'"}},
        UsageCase{"negative_count", {"classify", "a", "b", "--top-k", "-1"}, {"--top-k", "at least 1"}},
        UsageCase{"unknown_preset",
                  {"model", "init", "a.h5", "--model", "vit_tiny_patch16_22", "--classes", "2"},
                  {"did you mean 'vit_tiny_patch16_224'?"}},
        UsageCase{"unknown_recipe", {"train", "a", "--out", "b", "--recipe", "cifar"}, {"--recipe", "'cifar'"}},
        UsageCase{
            "size_and_encoded", {"data", "import", "a", "b", "--size", "8", "--encoded"}, {"--encoded", "--size"}},
        UsageCase{"nan", {"train", "a", "--out", "b", "--lr", "nan"}, {"lr: needs", "nan"}},
        UsageCase{"infinity", {"train", "a", "--out", "b", "--weight-decay", "inf"}, {"weight_decay", "inf"}},
        UsageCase{"minus_infinity", {"train", "a", "--out", "b", "--lr=-inf"}, {"lr: needs", "inf"}},
        UsageCase{"beyond_all_numbers", {"train", "a", "--out", "b", "--lr", "1e400"}, {"--lr", "'1e400'"}},
        UsageCase{"beyond_a_float", {"train", "a", "--out", "b", "--lr", "1e60"}, {"lr: needs"}},
        UsageCase{"std_of_zero", {"train", "a", "--out", "b", "--std", "0", "0", "0"}, {"std[0]: needs above 0 to 1"}},
        UsageCase{"mean_of_255", {"train", "a", "--out", "b", "--mean", "124", "116", "104"}, {"mean[0]", "0..255"}},
        UsageCase{"negative_epochs", {"train", "a", "--out", "b", "--epochs", "-3"}, {"--epochs", "'-3'"}},
        UsageCase{"no_epochs", {"train", "a", "--out", "b", "--epochs", "0"}, {"epochs: needs 1", "has 0"}},
        UsageCase{"trailing_letters", {"train", "a", "--out", "b", "--epochs", "3x"}, {"--epochs", "'3x'"}},
        UsageCase{"trailing_letters_of_a_rate", {"train", "a", "--out", "b", "--lr", "0.1x"}, {"--lr", "'0.1x'"}},
        UsageCase{"exponent_of_a_count", {"train", "a", "--out", "b", "--batch", "1e3"}, {"--batch", "'1e3'"}},
        UsageCase{"octal", {"train", "a", "--out", "b", "--epochs", "010"}, {"--epochs", "'010'"}},
        UsageCase{"hexadecimal", {"classify", "a", "b", "--top-k", "0x10"}, {"--top-k", "'0x10'"}},
        UsageCase{"more_than_64_bits",
                  {"train", "a", "--out", "b", "--epochs", "99999999999999999999"},
                  {"--epochs", "99999999999999999999"}},
        UsageCase{"more_than_anybody_counts",
                  {"data", "grid", "a", "b", "--tile", "9223372036854775807"},
                  {"--tile", "at most"}},
        UsageCase{"empty_number", {"train", "a", "--out", "b", "--epochs", ""}, {"--epochs"}},
        UsageCase{"empty_path", {"train", "a", "--out", ""}, {"--out"}},
        UsageCase{"empty_config", {"train", "a", "--out", "b", "--config", ""}, {"--config", "needs a text"}},
        UsageCase{"empty_output", {"classify", "a", "b", "--output", ""}, {"--output", "needs a text"}},
        UsageCase{"empty_split", {"eval", "a", "b", "--split="}, {"--split"}},
        UsageCase{"unknown_word_of_train", {"train", "a", "--out", "b", "--schedule", "cosin"}, {"'cosine'?"}},
        UsageCase{"training_in_int8", {"train", "a", "--out", "b", "--dtype", "int8"}, {"--dtype", "fp32, bf16"}},
        UsageCase{"seconds_of_nan", {"bench", "--seconds", "nan"}, {"--seconds", "'nan'"}},
        UsageCase{"max_loss_of_nan",
                  {"model", "quantize", "a", "b", "--calibration", "c", "--max-loss", "nan"},
                  {"--max-loss", "'nan'"}},
        UsageCase{"warmup_longer_than_the_run",
                  {"train", "a", "--out", "b", "--epochs", "1", "--warmup-epochs", "2"},
                  {"warmup_epochs: needs at most epochs"}},
        UsageCase{"weights_for_a_run_that_goes_on",
                  {"train", "a", "--out", "b", "--resume", "--init", "c"},
                  {"--init: has no effect", "last.h5"}},
        UsageCase{"logits_of_a_table", {"classify", "a", "b", "--logits"}, {"--logits: has no effect", "jsonl"}},
        UsageCase{"filter_without_a_size",
                  {"data", "import", "a", "b", "--interpolation", "area"},
                  {"--interpolation: has no effect", "--size"}},
        UsageCase{"rule_without_a_size", {"data", "import", "a", "b", "--resize", "squash"}, {"--resize", "--size"}},
        UsageCase{"class_order_of_cifar",
                  {"data", "import", "a", "b", "--format", "cifar10", "--class-order", "plain"},
                  {"--class-order: has no effect"}},
        UsageCase{"seed_of_no_draw",
                  {"data", "import", "a", "b", "--val-fraction", "0", "--seed", "3"},
                  {"--seed: has no effect"}},
        UsageCase{
            "recompute_of_inference", {"bench", "--recompute", "block"}, {"--recompute: has no effect", "--train"}},
        UsageCase{"mode_of_training", {"bench", "--train", "--mode", "latency"}, {"--mode: has no effect"}},
        UsageCase{"too_many_threads", {"eval", "a", "b", "--threads", "-2"}, {"--threads", "at least 0"}}),
    [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace vit::test
