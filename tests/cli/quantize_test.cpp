// vit model quantize, and int8 models in the other commands.
#include <algorithm>

#include "infer/engine.h"
#include "tests/cli/workspace.h"
#include "tests/support/products_up_to.h"

namespace vit::test {
namespace {

class QuantizeCommand : public Workspace {
 protected:
  void SetUp() override {
    if (runnable_dtype(DType::i8) != DType::i8) GTEST_SKIP() << "no int8 arithmetic here";
    make_model();
  }
  std::vector<std::string> command(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words{"model",         "quantize",      path("run/best.h5"), path("int8.h5"),
                                   "--calibration", path("data.h5"), "--max-loss",        "100"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
};

TEST_F(QuantizeCommand, TheModelIsSmallAndEvalAgreesWithItsRecord) {
  ASSERT_TRUE(ended_with(run_vit(command({"--json", path("q.json"), "--images", "12"})), 0));
  const auto json = json_of("q.json");
  EXPECT_EQ(json["calibration"]["images"], 12);
  EXPECT_EQ(json["calibration"]["split"], "train");
  EXPECT_EQ(json["evaluation"]["split"], "test");
  EXPECT_EQ(json["evaluation"]["images"], 15);
  EXPECT_LT(2 * std::filesystem::file_size(path("int8.h5")), std::filesystem::file_size(path("run/best.h5")));

  ASSERT_TRUE(ended_with(run_vit({"eval", path("run/best.h5"), path("data.h5"), "--json", path("fp32.json")}), 0));
  EXPECT_EQ(json_of("fp32.json")["dtype"], "fp32");
  EXPECT_EQ(json_of("fp32.json")["top1"], json["fp32"]["top1"]);
  ASSERT_TRUE(ended_with(run_vit({"eval", path("int8.h5"), path("data.h5"), "--json", path("int8.json")}), 0));
  EXPECT_EQ(json_of("int8.json")["dtype"], "int8");
  EXPECT_EQ(json_of("int8.json")["top1"], json["int8"]["top1"]);
  EXPECT_NEAR(json_of("int8.json")["loss"].get<double>(), json["int8"]["loss"].get<double>(), 1e-4);

  const ProgramResult info = run_vit({"model", "info", path("int8.h5"), "--json"});
  ASSERT_TRUE(ended_with(info, 0));
  const auto quantization = nlohmann::json::parse(info.out)["quantization"];
  EXPECT_EQ(quantization["record"]["int8"]["top1"], json["int8"]["top1"]);
  EXPECT_FALSE(quantization["input_scales"].empty());
}

TEST_F(QuantizeCommand, RunsInAnyArithmetic) {
  ASSERT_TRUE(ended_with(run_vit(command()), 0));
  for (const std::string dtype : {"fp32", "bf16", "int8", "auto"}) {
    ASSERT_TRUE(
        ended_with(run_vit({"classify", path("int8.h5"), path("pictures/test/red/0.png"), "--dtype", dtype}), 0))
        << dtype;
    ASSERT_TRUE(ended_with(run_vit({"bench", path("int8.h5"), "--seconds", "0.02", "--dtype", dtype, "--json",
                                    path("bench.json"), "--force"}),
                           0));
    if (dtype == "auto" || dtype == "int8") {
      EXPECT_EQ(json_of("bench.json")["dtype"], "int8");
    }
  }
}

TEST_F(QuantizeCommand, Int8ThatWouldBeWrongIsRefusedWithAWord) {
  ASSERT_TRUE(ended_with(run_vit(command()), 0));
  const ProductsUpTo without_vnni("AVX512_CORE");
  for (const std::string dtype : {"auto", "int8"}) {
    const ProgramResult result = run_vit(
        {"bench", path("int8.h5"), "--seconds", "0.02", "--dtype", dtype, "--json", path("bench.json"), "--force"});
    ASSERT_TRUE(ended_with(result, 0));
    EXPECT_NE(json_of("bench.json")["dtype"], "int8");
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    EXPECT_NE(result.err.find("no int8"), std::string::npos) << result.err;
  }
  EXPECT_TRUE(failed_with(run_vit(command({"--force"})), 2, {"no int8"}));
}

TEST_F(QuantizeCommand, SameBytesForAnyThreads) {
  ASSERT_TRUE(ended_with(run_vit(command({"--threads", "1"})), 0));
  const std::string one = text_of(dir_ / "int8.h5");
  ASSERT_TRUE(ended_with(run_vit(command({"--threads", "3", "--force"})), 0));
  EXPECT_TRUE(one == text_of(dir_ / "int8.h5"));
}

TEST_F(QuantizeCommand, SaysWhatIsWrong) {
  ASSERT_TRUE(ended_with(run_vit(command()), 0));
  EXPECT_TRUE(failed_with(run_vit(command()), 2, {"int8.h5", "--force"}));
  EXPECT_TRUE(
      failed_with(run_vit({"model", "quantize", path("int8.h5"), path("x.h5"), "--calibration", path("data.h5")}), 2,
                  {"quantised already"}));
  EXPECT_TRUE(failed_with(run_vit(command({"--force", "--split", "val2"})), 2, {"val2"}));
  EXPECT_TRUE(failed_with(run_vit({"eval", path("run/best.h5"), path("data.h5"), "--dtype", "int8"}), 2,
                          {"vit model quantize"}));
  EXPECT_TRUE(failed_with(run_vit({"bench", "--train", "--dtype", "int8"}), 2, {"fp32 or bf16"}));
  init_model(2);
  EXPECT_TRUE(
      failed_with(run_vit({"model", "quantize", path("model.h5"), path("x.h5"), "--calibration", path("data.h5")}), 1,
                  {"classes"}));
}

TEST_F(QuantizeCommand, APresetCanBeMeasuredInInt8) {
  ASSERT_TRUE(ended_with(run_vit({"bench", "--model", "vit_micro_patch4_20", "--dtype", "int8", "--seconds", "0.02",
                                  "--json", path("bench.json")}),
                         0));
  EXPECT_EQ(json_of("bench.json")["dtype"], "int8");
}

}  // namespace
}  // namespace vit::test
