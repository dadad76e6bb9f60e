// vit parity, and where the weights of a model come from.
#include <algorithm>

#include "tests/cli/workspace.h"
#include "vit/model/model_file.h"

namespace vit::test {
namespace {

const std::string kModel = VIT_SOURCE_DIR "/tests/infer/parity_model.h5";
const std::string kDump = VIT_SOURCE_DIR "/tests/infer/parity_dump.h5";

class ParityCommand : public Workspace {};

TEST_F(ParityCommand, TellsWhetherAModelAgrees) {
  const auto same = run_vit({"parity", kModel, kDump, "--json", path("same.json")});
  ASSERT_TRUE(ended_with(same, 0));
  EXPECT_NE(same.out.find("every stage agrees"), std::string::npos) << same.out;
  EXPECT_EQ(json_of("same.json")["agrees"], true);
  EXPECT_EQ(json_of("same.json")["reference_metadata"]["model"], "parity");

  Model changed = load_model(kModel);
  at(changed.weights, *changed.layout.find("blocks.1.mlp.fc1.weight"))[0] += 1;
  save_model(path("changed.h5"), changed);
  const auto other = run_vit({"parity", path("changed.h5"), kDump, "--json", "-"});
  ASSERT_TRUE(ended_with(other, 1));
  EXPECT_EQ(nlohmann::json::parse(other.out)["first_difference"]["stage"], "block 1");
  EXPECT_NE(other.err.find("block 1 is the first to differ"), std::string::npos) << other.err;
  EXPECT_TRUE(ended_with(run_vit({"parity", path("changed.h5"), kDump, "--tolerance", "1"}), 0));
}

TEST_F(ParityCommand, WrongFilesAreOneLine) {
  const auto swapped = run_vit({"parity", kModel, kModel});
  EXPECT_TRUE(ended_with(swapped, 1));
  EXPECT_NE(swapped.err.find("no dump of a model"), std::string::npos) << swapped.err;
  EXPECT_EQ(std::count(swapped.err.begin(), swapped.err.end(), '\n'), 1);
  write_text("same.json", "{}");
  EXPECT_TRUE(ended_with(run_vit({"parity", kModel, kDump, "--json", path("same.json")}), 2));
  EXPECT_TRUE(ended_with(run_vit({"parity", kModel, kDump, "--tolerance", "-1"}), 2));
}

TEST_F(ParityCommand, InfoShowsWhereWeightsComeFrom) {
  Model model = load_model(kModel);
  model.origin = {{"source", "a folder"}, {"licence", "apache-2.0"}};
  save_model(path("theirs.h5"), model);
  const auto text = run_vit({"model", "info", path("theirs.h5")});
  ASSERT_TRUE(ended_with(text, 0));
  EXPECT_NE(text.out.find("licence      apache-2.0\n"), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("source       a folder\n"), std::string::npos) << text.out;
  const auto json = run_vit({"model", "info", path("theirs.h5"), "--json"});
  EXPECT_EQ(nlohmann::json::parse(json.out)["origin"], model.origin);
  model.origin = nullptr;
  save_model(path("ours.h5"), model);
  EXPECT_FALSE(nlohmann::json::parse(run_vit({"model", "info", path("ours.h5"), "--json"}).out).contains("origin"));
}

}  // namespace
}  // namespace vit::test
