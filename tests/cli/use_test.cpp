// vit eval, classify, explain and bench with a trained model.
#include <map>

#include "tests/cli/workspace.h"

namespace vit::test {
namespace {

using Use = Workspace;

TEST_F(Use, EvalWritesAllFieldsAndTheyAgree) {
  make_model();
  ASSERT_TRUE(ended_with(
      run_vit({"eval", path("run/best.h5"), path("data.h5"), "--json", path("eval.json"), "--threads", "2"}), 0));
  const auto json = json_of("eval.json");
  EXPECT_EQ(json["model"], path("run/best.h5"));
  EXPECT_EQ(json["data"], path("data.h5"));
  EXPECT_EQ(json["split"], "test");
  EXPECT_EQ(json["images"], 15);
  EXPECT_EQ(json["dtype"], "fp32");
  EXPECT_EQ(json["threads"], 2);
  EXPECT_EQ(json["top5"], 1.0);
  EXPECT_TRUE(json["loss"].is_number());
  EXPECT_TRUE(json["unreadable"].empty());
  EXPECT_GT(json["images_per_second"], 0);
  int correct = 0;
  for (size_t c = 0; c < 3; ++c) {
    EXPECT_EQ(json["classes"][c]["label"], kClasses[c]);
    EXPECT_EQ(json["classes"][c]["images"], 5);
    EXPECT_EQ(json["classes"][c]["correct"], json["confusion"][c][c]);
    for (const char* field : {"precision", "recall", "f1"}) EXPECT_TRUE(json["classes"][c][field].is_number()) << field;
    correct += json["confusion"][c][c].get<int>();
  }
  EXPECT_DOUBLE_EQ(json["top1"].get<double>(), correct / 15.0);
}

TEST_F(Use, EvalReportHoldsEveryFormAndNothingElseIsNeeded) {
  make_model();
  ASSERT_TRUE(ended_with(run_vit({"eval", path("run/best.h5"), path("data.h5"), "--report", path("report")}), 0));
  for (const char* name :
       {"report.txt", "report.json", "report.html", "classes.csv", "predictions.csv", "confusion.csv", "confusion.png"})
    EXPECT_GT(std::filesystem::file_size(dir_ / "report" / name), 0u) << name;
}

TEST_F(Use, FileFolderAndClassifyGiveTheSameAccuracy) {
  make_model();
  ASSERT_TRUE(ended_with(run_vit({"eval", path("run/best.h5"), path("data.h5"), "--json", path("file.json")}), 0));
  ASSERT_TRUE(ended_with(
      run_vit({"eval", path("run/best.h5"), path("pictures"), "--split", "test", "--json", path("folder.json")}), 0));
  EXPECT_EQ(json_of("file.json")["confusion"], json_of("folder.json")["confusion"]);
  EXPECT_EQ(json_of("file.json")["loss"], json_of("folder.json")["loss"]);

  const ProgramResult csv = run_vit({"classify", path("run/best.h5"), path("pictures/test"), "--format", "csv"});
  ASSERT_TRUE(ended_with(csv, 0));
  const auto lines = lines_of(csv.out);
  ASSERT_EQ(lines.size(), 16u);
  EXPECT_TRUE(lines[0].starts_with("path,label,index,probability,")) << lines[0];
  int correct = 0;
  for (size_t i = 1; i < lines.size(); ++i) {
    const size_t comma = lines[i].find(',');
    const std::string label = lines[i].substr(comma + 1, lines[i].find(',', comma + 1) - comma - 1);
    correct += lines[i].substr(0, comma).find("/" + label + "/") != std::string::npos ? 1 : 0;
  }
  EXPECT_DOUBLE_EQ(json_of("file.json")["top1"].get<double>(), correct / 15.0);
}

TEST_F(Use, EvalCountsPicturesOfUnknownClasses) {
  make_model();
  std::filesystem::rename(dir_ / "pictures/test/blue", dir_ / "pictures/test/teal");
  const ProgramResult result =
      run_vit({"eval", path("run/best.h5"), path("pictures"), "--split", "test", "--json", path("eval.json")});
  ASSERT_TRUE(ended_with(result, 0));
  EXPECT_NE(result.err.find("left out: 5 pictures of classes that the model does not know: 'teal'"), std::string::npos)
      << result.err;
  EXPECT_NE(result.out.find("left out"), std::string::npos) << result.out;
  EXPECT_EQ(json_of("eval.json")["images"], 10);
  EXPECT_EQ(json_of("eval.json")["classes"].size(), 3u);
}

TEST_F(Use, MoreAnswersThanClassesAreTold) {
  make_model();
  const ProgramResult result =
      run_vit({"classify", path("run/best.h5"), path("pictures/test/red/1.png"), "--top-k", "7"});
  ASSERT_TRUE(ended_with(result, 0));
  EXPECT_NE(result.err.find("--top-k 7: the model has 3 classes"), std::string::npos) << result.err;
}

TEST_F(Use, Int8OfAModelThatIsNotQuantisedIsAUsageError) {
  init_model(3);
  write_square(dir_ / "a.png", 0, 1);
  EXPECT_TRUE(failed_with(run_vit({"classify", path("model.h5"), path("a.png"), "--dtype", "int8"}), 2, {"int8"}));
}

TEST_F(Use, ClassifyJsonLinesComeInInputOrder) {
  make_model();
  const std::vector<std::string> inputs{path("pictures/test/red/1.png"), path("missing.png"),
                                        path("pictures/test/blue/0.png")};
  const ProgramResult result = run_vit({"classify", path("run/best.h5"), inputs[0], inputs[1], inputs[2], "--format",
                                        "jsonl", "--top-k", "2", "--logits"});
  ASSERT_TRUE(ended_with(result, 3));
  const auto lines = lines_of(result.out);
  ASSERT_EQ(lines.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    const auto json = nlohmann::json::parse(lines[i]);
    EXPECT_EQ(json["path"], inputs[i]);
    if (i == 1) {
      EXPECT_NE(json["error"].get<std::string>(), "");
      EXPECT_FALSE(json.contains("top"));
      continue;
    }
    ASSERT_EQ(json["top"].size(), 2u);
    EXPECT_EQ(json["logits"].size(), 3u);
    EXPECT_GE(json["top"][0]["probability"], json["top"][1]["probability"]);
    const size_t index = json["top"][0]["index"];
    EXPECT_EQ(json["top"][0]["label"], kClasses[index]);
  }
  EXPECT_NE(result.err.find("missing.png"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("1 input could not be read"), std::string::npos) << result.err;
}

TEST_F(Use, ClassifyIntoAFileAndEmbeddings) {
  init_model(3);
  write_square(dir_ / "a.png", 0, 1);
  const ProgramResult result = run_vit({"classify", path("model.h5"), path("a.png"), "--format", "csv", "--output",
                                        path("out.csv"), "--embeddings", path("features.h5")});
  ASSERT_TRUE(ended_with(result, 0));
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(lines_of(text_of(dir_ / "out.csv")).size(), 2u);
  EXPECT_TRUE(text_of(dir_ / "features.h5").starts_with("\x89HDF"));
}

TEST_F(Use, ClassifyTellsWhenItsOutputCannotBeWritten) {
  init_model(3);
  write_square(dir_ / "a.png", 0, 1);
  EXPECT_TRUE(
      failed_with(run_vit({"classify", path("model.h5"), path("a.png")}, {.out = "/dev/full"}), 1, {"disk full"}));
  EXPECT_TRUE(
      failed_with(run_vit({"classify", path("model.h5"), path("a.png"), "--output", path("no/such/folder/out.csv")}), 1,
                  {"out.csv"}));
}

TEST_F(Use, ExplainDrawsAPictureEach) {
  init_model(3);
  write_square(dir_ / "x/a.png", 0, 1);
  write_square(dir_ / "y/a.png", 1, 1);
  for (const char* method : {"attention", "rollout"}) {
    ASSERT_TRUE(ended_with(run_vit({"explain", path("model.h5"), path("x/a.png"), path("y/a.png"), "--output",
                                    path(method), "--method", method}),
                           0));
    EXPECT_FALSE(cv::imread(path(std::string(method) + "/x-a.png")).empty());
    EXPECT_FALSE(cv::imread(path(std::string(method) + "/y-a.png")).empty());
  }
}

TEST_F(Use, BenchWritesAllFields) {
  for (const bool train : {false, true}) {
    std::vector<std::string> command{"bench", "--model", "vit_micro_patch4_20", "--batch",   "4", "--seconds",
                                     "0.05",  "--json",  path("bench.json"),    "--threads", "1", "--force"};
    if (train) command.push_back("--train");
    ASSERT_TRUE(ended_with(run_vit(command), 0));
    const auto json = json_of("bench.json");
    EXPECT_EQ(json["model"], "vit_micro_patch4_20");
    EXPECT_EQ(json["batch"], 4);
    EXPECT_EQ(json["threads"], 1);
    EXPECT_EQ(json["train"], train);
    EXPECT_EQ(json["dtype"], "fp32");
    for (const char* field : {"images_per_second", "gflops", "peak_gflops", "peak_rss_mb"})
      EXPECT_GT(json[field].get<double>(), 0) << field;
    for (const char* field : {"p50", "p95", "p99"}) EXPECT_GT(json["latency_ms"][field].get<double>(), 0) << field;
  }
}

TEST_F(Use, BenchChangesTheSizesOfAPreset) {
  const std::vector<std::string> command{"bench", "--model", "vit_micro_patch4_20", "--seconds", "0.05"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), command.begin(), command.end());
    return run_vit(more);
  };
  ASSERT_TRUE(ended_with(
      with({"--image-size", "24", "--depth", "2", "--width", "64", "--heads", "4", "--json", path("sizes.json")}), 0));
  const auto json = json_of("sizes.json");
  EXPECT_EQ(json["model"], "vit_micro_patch4_20 image-size=24 depth=2 width=64 heads=4");
  // Products of 36 patches of 48 numbers, a block (12 D D and 2 N D a token, mlp width 4 D), keys and values of all
  // tokens and the rest of one in the last, 10 classes.
  const double ends = 36 * 48 * 64 + 64 * 10, block = 12 * 37 * 64 * 64 + 2 * 37 * 37 * 64;
  const double per_image = 2 * (ends + block + 2 * 37 * 64 * 64 + 10 * 64 * 64 + 2 * 37 * 64);
  EXPECT_DOUBLE_EQ(json["gflop_per_image"].get<double>(), per_image / 1e9);
  EXPECT_DOUBLE_EQ(json["gflop_per_image_all_tokens"].get<double>(), 2 * (ends + 2 * block) / 1e9);
  EXPECT_NEAR(json["gflops"].get<double>() * 1e9 / json["images_per_second"].get<double>(), per_image,
              1e-6 * per_image);
  EXPECT_TRUE(ended_with(with({"--image-size", "22"}), 2));
  EXPECT_TRUE(ended_with(with({"--width", "65"}), 2));
  EXPECT_TRUE(ended_with(with({"--heads", "5"}), 2));
  EXPECT_TRUE(ended_with(run_vit({"bench", path("model.h5"), "--depth", "2"}), 2));
}

}  // namespace
}  // namespace vit::test
