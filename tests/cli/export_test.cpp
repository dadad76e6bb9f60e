// vit model export: files, refusals, exit codes.
#include "tests/cli/workspace.h"

namespace vit::test {
namespace {

class ExportCommand : public Workspace {
 protected:
  ProgramResult run_export(const std::string& out, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words{"model", "export", path("model.h5"), path(out)};
    words.insert(words.end(), more.begin(), more.end());
    return run_vit(words);
  }
};

TEST_F(ExportCommand, WritesAFolderThatNothingReplacesWithoutForce) {
  init_model(3);
  ASSERT_TRUE(ended_with(run_export("out"), 0));
  EXPECT_EQ(json_of("out/config.json")["architecture"], "vit_base_patch16_224");
  EXPECT_TRUE(std::filesystem::is_regular_file(path("out/model.safetensors")));
  const ProgramResult again = run_export("out");
  ASSERT_TRUE(ended_with(again, 2));
  EXPECT_NE(again.err.find("--force"), std::string::npos) << again.err;
  ASSERT_TRUE(ended_with(run_export("out", {"--force"}), 0));
}

TEST_F(ExportCommand, TheEndingTellsOneFile) {
  init_model(3);
  const ProgramResult weights = run_export("m.safetensors", {"--schema", "hf"});
  ASSERT_TRUE(ended_with(weights, 0));
  EXPECT_NE(weights.out.find("weights alone"), std::string::npos) << weights.out;
  EXPECT_TRUE(std::filesystem::is_regular_file(path("m.safetensors")));
  const ProgramResult onnx = run_export("m.onnx");
  if (onnx.err.find("built without ONNX") != std::string::npos) GTEST_SKIP() << onnx.err;
  ASSERT_TRUE(ended_with(onnx, 0));
  EXPECT_NE(onnx.out.find("opset 17"), std::string::npos) << onnx.out;
  EXPECT_TRUE(std::filesystem::is_regular_file(path("m.onnx")));
}

TEST_F(ExportCommand, WhatASchemaCannotSayEndsBeforeAnythingIsWritten) {
  init_model(3, "cct_7_3x1_32");
  const ProgramResult result = run_export("out", {"--schema", "torchvision"});
  ASSERT_TRUE(ended_with(result, 2));
  EXPECT_NE(result.err.find("tokenizer: needs \"patch\", has \"conv\""), std::string::npos) << result.err;
  EXPECT_FALSE(std::filesystem::exists(path("out")));
}

TEST_F(ExportCommand, NeverReplacesTheModel) {
  init_model(3);
  ASSERT_TRUE(ended_with(run_export("model.h5", {"--schema", "onnx", "--force"}), 2));
  ASSERT_TRUE(ended_with(run_vit({"model", "info", path("model.h5")}), 0));
}

}  // namespace
}  // namespace vit::test
