// What the shells' completion is told, and the manual pages.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/run_program.h"
#include "tests/support/temp_dir.h"

namespace vit::test {
namespace {

namespace fs = std::filesystem;

/// The words that may stand in place of the last one of `line`, and ":paths" for a file or folder.
std::vector<std::string> words_after(const std::vector<std::string>& line) {
  std::vector<std::string> command{"complete"};
  command.insert(command.end(), line.begin(), line.end());
  const ProgramResult result = run_vit(command);
  EXPECT_TRUE(ended_with(result, 0));
  EXPECT_EQ(result.err, "");
  std::vector<std::string> words;
  std::istringstream lines(result.out);
  for (std::string entry; std::getline(lines, entry);) words.push_back(entry.substr(0, entry.find('\t')));
  return words;
}

using Words = std::vector<std::string>;
const Words kPaths{":paths"};

TEST(Completion, Commands) {
  EXPECT_EQ(words_after({"c"}), Words{"classify"});
  EXPECT_EQ(words_after({""}), (Words{"train", "eval", "classify", "explain", "data", "model", "parity", "bench"}));
  EXPECT_EQ(words_after({"data", "i"}), (Words{"import", "info"}));
  EXPECT_EQ(words_after({"--v"}), Words{"--version"});
}

TEST(Completion, OptionsThatAreNotGivenYet) {
  EXPECT_EQ(words_after({"classify", "--to"}), Words{"--top-k"});
  EXPECT_EQ(words_after({"classify", "--top-k", "3", "--to"}), Words{});
  EXPECT_EQ(words_after({"classify", "--nothing", "--fo"}), (Words{"--format", "--force"}));
}

TEST(Completion, WordsOfAnOption) {
  EXPECT_EQ(words_after({"train", "--dtype", ""}), (Words{"fp32", "bf16"}));
  EXPECT_EQ(words_after({"train", "--dtype=b"}), Words{"--dtype=bf16"});
  EXPECT_EQ(words_after({"train", "--dtype", "=", "b"}), Words{"bf16"}) << "as bash cuts it";
  EXPECT_EQ(words_after({"train", "--dtype", "="}), (Words{"fp32", "bf16"}));
  EXPECT_EQ(words_after({"model", "init", "--model", "vit_base"}), Words{"vit_base_patch16_224"});
}

TEST(Completion, NumbersAreUpToTheUser) {
  EXPECT_EQ(words_after({"train", "--epochs", ""}), Words{});
  EXPECT_EQ(words_after({"train", "--mean", "0.5", "0.5", ""}), Words{});
}

TEST(Completion, FilesAndFolders) {
  EXPECT_EQ(words_after({"train", ""}), kPaths);
  EXPECT_EQ(words_after({"train", "--resume", ""}), kPaths) << "a flag takes no value";
  EXPECT_EQ(words_after({"train", "--mean", "0.5", "0.5", "0.5", ""}), kPaths);
  EXPECT_EQ(words_after({"train", "--config", ""}), kPaths);
  EXPECT_EQ(words_after({"train", "--config=x"}), kPaths);
  EXPECT_EQ(words_after({"classify", "model.h5", "a.png", "b"}), kPaths) << "as many as the user likes";
  EXPECT_EQ(words_after({"data", "info", "data.h5", "--j"}), Words{"--json"});
  EXPECT_EQ(words_after({"data", "info", "data.h5", ""}), (Words{"--help", "--json", "--layout"})) << "no other file";
}

TEST(Completion, BashAsksTheProgram) {
  const std::string script = std::string(VIT_SOURCE_DIR) + "/tools/completion/vit.bash";
  const auto reply = [&](const std::string& words, int last) {
    return run_program({"/bin/bash", "-c",
                        ". " + script + "; COMP_WORDS=(" + words + "); COMP_CWORD=" + std::to_string(last) +
                            "; _vit '" + VIT_PROGRAM + "' 2>/dev/null; echo \"${COMPREPLY[@]}\""})
        .out;
  };
  EXPECT_EQ(reply("vit cl", 1), "classify\n");
  EXPECT_EQ(reply("vit train --dtype ''", 3), "fp32 bf16\n");
  EXPECT_EQ(reply("vit train --dtype b data.h5", 3), "bf16\n") << "inside the line";
  EXPECT_EQ(reply("vit train ''", 2), "\n");
}

TEST(ManPages, OneForEachCommandWithAllThatHelpSays) {
  TempDir dir;
  ASSERT_TRUE(ended_with(run_vit({"man", (dir / "man").string()}), 0));
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(dir / "man")) names.push_back(entry.path().filename().string());
  for (const char* name : {"vit.1", "vit-train.1", "vit-data.1", "vit-data-import.1", "vit-model-quantize.1"})
    EXPECT_NE(std::ranges::find(names, name), names.end()) << name;
  EXPECT_EQ(std::ranges::find(names, "vit-man.1"), names.end());

  const std::string page = text_of(dir / "man" / "vit-train.1");
  EXPECT_TRUE(page.starts_with(".TH \"vit\\-train\" 1 "));
  for (const char* text :
       {".SH NAME\nvit\\-train \\- Learn a model", "\\fBvit train\\fR [options] DATA\n", ".SS Schedule\n",
        ".TP\n\\fB\\-\\-epochs N\\fR\npasses over the training pictures", ".SH SEE ALSO\n.BR vit (1)\n"})
    EXPECT_NE(page.find(text), std::string::npos) << text;
}

TEST(ManPages, NoLineBeginsACommandOfRoffByChance) {
  TempDir dir;
  ASSERT_TRUE(ended_with(run_vit({"man", dir.path().string()}), 0));
  for (const auto& entry : fs::directory_iterator(dir.path())) {
    std::istringstream lines(text_of(entry.path()));
    for (std::string line; std::getline(lines, line);) {
      const std::string request = line.substr(0, line.find(' '));
      const bool ours =
          request == ".TH" || request == ".SH" || request == ".SS" || request == ".BR" || request == ".TP";
      EXPECT_TRUE(ours || (request[0] != '.' && request[0] != '\'')) << entry.path() << ": " << line;
    }
  }
}

}  // namespace
}  // namespace vit::test
