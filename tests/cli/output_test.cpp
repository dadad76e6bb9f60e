// What commands write, where to, and what they leave alone.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "tests/cli/workspace.h"
#include "vit/core/error.h"

namespace vit::test {
namespace {

class Outputs : public Workspace {
 protected:
  /// Runs a command line through the shell, which redirects.
  static ProgramResult shell(const std::string& line) {
    return run_program({"/bin/sh", "-c", std::string("vit='") + VIT_PROGRAM + "'; " + line});
  }
  std::string quoted(const std::string& name) const { return concat('\'', path(name), '\''); }

  /// Fails with code 2 and leaves the file as it is.
  void expect_untouched(const std::string& name, const std::vector<std::string>& command, const std::string& why) {
    const std::string before = text_of(dir_ / name);
    EXPECT_TRUE(failed_with(run_vit(command), 2, {why})) << name;
    EXPECT_EQ(text_of(dir_ / name), before) << name;
  }
};

TEST_F(Outputs, OfOthersStayWithoutForce) {
  make_model();
  write_text("mine", "mine");
  write_text("folder/report.txt", "mine");
  write_text("folder/0.png", "mine");
  write_text("folder/config.json", "mine");
  const std::string model = path("run/best.h5");
  const std::string data = path("data.h5");
  const std::string picture = path("pictures/test/red/0.png");
  const struct {
    const char* file;
    std::vector<std::string> command;
  } cases[] = {
      {"mine", {"eval", model, data, "--json", path("mine")}},
      {"folder/report.txt", {"eval", model, data, "--report", path("folder")}},
      {"mine", {"classify", model, picture, "--output", path("mine")}},
      {"mine", {"classify", model, picture, "--embeddings", path("mine")}},
      {"folder/0.png", {"explain", model, picture, "--output", path("folder")}},
      {"mine", {"bench", model, "--seconds", "0.01", "--json", path("mine")}},
      {"mine", {"data", "import", path("pictures"), path("mine")}},
      {"mine", {"model", "init", path("mine"), "--model", "vit_micro_patch4_20", "--classes", "2"}},
      {"mine", {"model", "quantize", model, path("mine"), "--calibration", data}},
      {"mine", {"model", "quantize", model, path("new.h5"), "--calibration", data, "--json", path("mine")}},
      {"folder/config.json", {"train", data, "--out", path("folder")}},
  };
  for (const auto& [file, command] : cases) expect_untouched(file, command, "--force");
  EXPECT_FALSE(std::filesystem::exists(dir_ / "new.h5"));
  std::vector<std::string> forced{"classify", model, picture, "--output", path("mine"), "--force"};
  EXPECT_TRUE(ended_with(run_vit(forced), 0));
  EXPECT_NE(text_of(dir_ / "mine"), "mine");
}

TEST_F(Outputs, OfWhatIsReadAreRefusedEvenByForce) {
  make_model();
  std::filesystem::create_symlink("pictures/test/red/0.png", dir_ / "link");
  std::filesystem::create_hard_link(dir_ / "run/best.h5", dir_ / "hard");
  const std::string model = path("run/best.h5");
  const std::string data = path("data.h5");
  const std::string picture = path("pictures/test/red/0.png");
  const struct {
    const char* file;
    std::vector<std::string> command;
  } cases[] = {
      {"pictures/test/red/0.png", {"explain", model, picture, "--output", path("pictures/test/red")}},
      {"pictures/test/red/0.png", {"classify", model, path("pictures"), "--output", path("link")}},
      {"pictures/test/red/0.png", {"eval", model, path("pictures"), "--json", picture}},
      {"pictures/test/red/0.png", {"data", "import", path("pictures"), picture}},
      {"data.h5", {"eval", model, data, "--json", data}},
      {"run/best.h5", {"bench", model, "--json", path("hard")}},
      {"run/best.h5", {"model", "quantize", model, model, "--calibration", data}},
      {"data.h5", {"model", "quantize", model, data, "--calibration", data}},
      {"run/best.h5", {"train", data, "--out", path("run"), "--init", model}},
      {"run/config.json", {"train", data, "--out", path("run"), "--config", path("run/config.json")}},
  };
  for (const auto& [file, command] : cases) {
    std::vector<std::string> forced = command;
    forced.emplace_back("--force");
    expect_untouched(file, forced, "the same command reads it");
  }
  EXPECT_TRUE(failed_with(run_vit({"classify", model, picture, "--output", path("a"), "--embeddings", path("a")}), 2,
                          {"another output"}));
}

TEST_F(Outputs, GoToStandardOutputAlone) {
  make_model();
  const std::string model = quoted("run/best.h5");
  const std::string data = quoted("data.h5");
  for (const char* name : {"-", "/dev/stdout"}) {
    const ProgramResult eval = shell("$vit eval " + model + " " + data + " --json " + name);
    ASSERT_TRUE(ended_with(eval, 0));
    EXPECT_EQ(nlohmann::json::parse(eval.out).at("images"), 15);
    EXPECT_NE(eval.err.find("top-1"), std::string::npos);
    const ProgramResult bench = shell("$vit bench " + model + " --seconds 0.01 --json " + name);
    ASSERT_TRUE(ended_with(bench, 0));
    EXPECT_EQ(nlohmann::json::parse(bench.out).at("batch"), 1);
    const ProgramResult classify = shell("$vit classify " + model + " " + quoted("pictures/test/red") +
                                         " --format jsonl --output " + name + " | cat");
    ASSERT_TRUE(ended_with(classify, 0));
    EXPECT_EQ(lines_of(classify.out).size(), 5u);
    const ProgramResult embeddings =
        shell("$vit classify " + model + " " + quoted("pictures/test/red") + " --embeddings " + name);
    EXPECT_TRUE(failed_with(embeddings, 2, {"regular file"}));
  }
  // A file that the shell has opened is gone on with, not replaced.
  const ProgramResult appended = shell("echo first > " + quoted("log") + "; $vit eval " + model + " " + data +
                                       " --json /dev/stdout >> " + quoted("log"));
  ASSERT_TRUE(ended_with(appended, 0));
  EXPECT_TRUE(text_of(dir_ / "log").starts_with("first\n{"));
}

TEST_F(Outputs, GoIntoPipesAndDevices) {
  init_model(3);
  write_square(dir_ / "a.png", 0, 1);
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  const ProgramResult piped = shell("cat " + quoted("pipe") + " & $vit classify " + quoted("model.h5") + " " +
                                    quoted("a.png") + " --format csv --output " + quoted("pipe") + "; wait");
  ASSERT_TRUE(ended_with(piped, 0));
  EXPECT_EQ(lines_of(piped.out).size(), 2u);
  EXPECT_TRUE(ended_with(run_vit({"classify", path("model.h5"), path("a.png"), "--output", "/dev/null"}), 0));
  EXPECT_TRUE(failed_with(run_vit({"classify", path("model.h5"), path("a.png"), "--output", "/dev/full"}), 1,
                          {"/dev/full", "No space left on device"}));
}

TEST_F(Outputs, EndQuietlyWhenNobodyReads) {
  init_model(3);
  write_square(dir_ / "a.png", 0, 1);
  // The signal of a broken pipe is ignored, so that the failed write is what ends the program.
  const std::string run = "trap '' PIPE; { $vit classify " + quoted("model.h5") + " " + quoted("a.png") +
                          "; echo $? > " + quoted("code") + "; } | true; sleep 0.1";
  const ProgramResult result = shell("exec 3>&1; " + run);
  EXPECT_EQ(result.err, "");
  for (int i = 0; i < 100 && text_of(dir_ / "code").empty(); ++i) ::usleep(50'000);
  const std::string code = text_of(dir_ / "code");
  EXPECT_TRUE(code == "141\n" || code == "0\n") << code;  // 0: written before the reader had ended
}

/// Bytes that no terminal may get and no JSON can hold.
bool is_clean(const std::string& text) {
  for (const char c : text)
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7F) return false;
  return text.find("\xe9") == std::string::npos;
}

TEST_F(Outputs, ShowAnyClassNameSafely) {
  const std::vector<std::string> names{"caf\xe9", "two\nlines", "\x1b[31mred", "<script>,\"'", "=1+1"};
  for (size_t c = 0; c < names.size(); ++c)
    for (int i = 0; i < 4; ++i)
      write_square(dir_ / "d" / names[c] / (std::to_string(i) + "\xe9.png"), static_cast<int>(c % 3), i);
  const auto run = [&](const std::vector<std::string>& command) {
    ProgramResult result = run_vit(command);
    EXPECT_TRUE(ended_with(result, 0));
    EXPECT_TRUE(is_clean(result.out)) << result.out;
    EXPECT_TRUE(is_clean(result.err)) << result.err;
    return result.out;
  };
  run({"data", "import", path("d"), path("d.h5"), "--val-fraction", "0.25"});
  run({"data", "info", path("d.h5")});
  run({"train", path("d.h5"), "--out", path("run\xe9"), "--epochs", "1", "--warmup-epochs", "0.5", "--batch", "4",
       "--model", "vit_micro_patch4_20"});
  const std::string model = path("run\xe9/best.h5");
  run({"eval", model, path("d"), "--split", "train", "--json", path("eval.json"), "--report", path("report")});
  run({"explain", model, path("d"), "--output", path("attention")});
  run({"model", "info", model});
  run({"model", "quantize", model, path("int8.h5"), "--calibration", path("d.h5"), "--json", path("q.json")});
  run({"classify", model, path("d")});
  const std::string csv = run({"classify", model, path("d"), "--format", "csv", "--top-k", "1"});
  EXPECT_EQ(lines_of(csv).size(), 1 + 4 * names.size());
  const auto lines = lines_of(run({"classify", model, path("d"), "--format", "jsonl"}));
  ASSERT_EQ(lines.size(), 4 * names.size());
  for (const std::string& line : lines) EXPECT_TRUE(nlohmann::json::accept(line)) << line;

  const std::vector<std::string> shown{"caf\\xE9", "two\\x0Alines", "\\x1B[31mred", "<script>,\"'", "=1+1"};
  std::vector<std::string> labels;
  const nlohmann::json evaluation = json_of("eval.json");
  for (const auto& c : evaluation.at("classes")) labels.push_back(c.at("label"));
  std::vector<std::string> sorted = shown;
  std::sort(sorted.begin(), sorted.end());
  std::sort(labels.begin(), labels.end());
  EXPECT_EQ(labels, sorted);
  const auto info = nlohmann::json::parse(run({"model", "info", model, "--json"}));
  EXPECT_EQ(info.at("class_names").size(), names.size());
  for (const auto& entry : std::filesystem::directory_iterator(dir_ / "report")) {
    if (entry.path().extension() == ".png") continue;
    EXPECT_TRUE(is_clean(text_of(entry.path()))) << entry.path();
  }
  const std::string html = text_of(dir_ / "report/report.html");
  EXPECT_EQ(html.find("<script"), std::string::npos);
  EXPECT_NE(html.find("&lt;script&gt;"), std::string::npos);
  EXPECT_NE(html.find("caf\\xE9"), std::string::npos);
}

TEST_F(Outputs, MessagesShowAnyPathSafely) {
  for (const ProgramResult& result :
       {run_vit({"eval", path("no\x1b[31m\n\xe9.h5"), path("d.h5")}), run_vit({"data", "info\x1b[31m\xe9"}),
        run_vit({"train", path("d.h5"), "--out", path("r"), "--schedule", "\xe9\x1b"}),
        run_vit({"classify", path("m.h5"), "--form\xe9\x1b", "x"})}) {
    EXPECT_TRUE(result.exit_code == 1 || result.exit_code == 2) << result.exit_code;
    EXPECT_TRUE(is_clean(result.err)) << result.err;
    EXPECT_EQ(result.err.find("internal"), std::string::npos) << result.err;
    EXPECT_NE(result.err.find("\\xE9"), std::string::npos) << result.err;
  }
}

TEST_F(Outputs, ManyLongClassNamesAreReadBack) {
  // Together more than 1 MiB, the most that one text of a file holds.
  constexpr int kClassCount = 4200;
  const std::string filler(250, 'n');
  write_square(dir_ / "a.png", 0, 1);
  for (int c = 0; c < kClassCount; ++c) {
    const std::string name = std::to_string(10000 + c) + filler;
    std::filesystem::create_directories(dir_ / "d/train" / name);
    std::filesystem::create_hard_link(dir_ / "a.png", dir_ / "d/train" / name / "a.png");
  }
  ASSERT_TRUE(ended_with(run_vit({"data", "import", path("d"), path("d.h5"), "--val-fraction", "0"}), 0));
  ASSERT_TRUE(ended_with(run_vit({"train", path("d.h5"), "--out", path("run"), "--epochs", "1", "--warmup-epochs", "0",
                                  "--batch", "64", "--model", "vit_micro_patch4_20"}),
                         0));
  const ProgramResult info = run_vit({"model", "info", path("run/best.h5"), "--json"});
  ASSERT_TRUE(ended_with(info, 0));
  EXPECT_EQ(nlohmann::json::parse(info.out).at("class_names").size(), static_cast<size_t>(kClassCount));
}

TEST_F(Outputs, DrawingsOfLongNamesHaveNamesOfTheirOwn) {
  init_model(3);
  const std::string stem(251, 's');
  const std::string folder(255, 'f');
  for (const std::string& name :
       std::vector<std::string>{"x/" + stem + ".png", "y/" + stem + ".png", folder + "/1.png", "z/1.png"})
    write_square(dir_ / "in" / name, 0, 1);
  ASSERT_TRUE(ended_with(run_vit({"explain", path("model.h5"), path("in"), "--output", path("out")}), 0));
  int drawings = 0;
  for (const auto& entry : std::filesystem::directory_iterator(dir_ / "out"))
    drawings += cv::imread(entry.path().string()).empty() ? 0 : 1;
  EXPECT_EQ(drawings, 4);
}

}  // namespace
}  // namespace vit::test
