#include "infer/evaluate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <sstream>

#include "datasets/import.h"
#include "infer/classify_files.h"
#include "infer/classify_output.h"
#include "infer/inputs.h"
#include "tests/infer/small_model.h"
#include "tests/support/temp_dir.h"
#include "vit/core/error.h"
#include "vit/core/log.h"

namespace vit {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kNames{"cat", "dog", "eel", "fox", "gnu", "hen"};
constexpr int kPerClass = 7;

/// test/<class>/<n>.png of different sizes.
void make_folder(const fs::path& root, const std::vector<std::string>& names = kNames) {
  uint64_t number = 0;
  for (const std::string& name : names)
    for (int i = 0; i < kPerClass; ++i, ++number)
      test::write_picture(root / "test" / name / (std::to_string(i) + ".png"),
                          test::random_picture(16 + static_cast<int>(number % 9), 20, number));
}

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

/// Columns path -> label of a CSV without quoted fields.
std::map<std::string, std::string> labels_by_path(const std::string& csv) {
  std::map<std::string, std::string> labels;
  std::istringstream lines(csv);
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    const std::size_t first = line.find(',');
    labels[line.substr(0, first)] = line.substr(first + 1, line.find(',', first + 1) - first - 1);
  }
  return labels;
}

std::string classified_csv(Classifier& classifier, const fs::path& folder) {
  std::ostringstream out;
  ClassifyWriter writer(out, {.format = OutputFormat::csv, .top_k = 1});
  classify_files(classifier, expand_inputs({folder.string()}), {.top_k = 1},
                 [&](const FileResult& result) { writer.write(result); });
  writer.finish();
  return out.str();
}

ImportOptions import_options(int64_t size, bool encoded) {
  ImportOptions options;
  options.format = SourceFormat::folder;
  options.size = size;
  options.encoded = encoded;
  return options;
}

class EvaluateTest : public testing::Test {
 protected:
  void SetUp() override { make_folder(dir_ / "data"); }
  std::string folder() const { return (dir_ / "data").string(); }

  test::TempDir dir_;
  Classifier classifier_{test::small_model(kNames)};
};

TEST_F(EvaluateTest, FolderHdf5AndClassifyAgreeImageByImage) {
  const Evaluation from_folder = evaluate(classifier_, *open_dataset(dir_ / "data"), "test");
  ASSERT_EQ(from_folder.images, kPerClass * static_cast<int64_t>(kNames.size()));
  EXPECT_GT(from_folder.top1, 0);  // or the comparisons below say little
  EXPECT_LT(from_folder.top1, 1);

  for (const bool encoded : {false, true}) {
    const fs::path file = dir_ / (encoded ? "encoded.h5" : "pixels.h5");
    import_dataset(dir_ / "data", file, import_options(encoded ? 0 : 16, encoded));
    const Evaluation from_file = evaluate(classifier_, *open_dataset(file), "test", {.batch = 5});
    EXPECT_EQ(from_file.top1, from_folder.top1);
    EXPECT_EQ(from_file.top5, from_folder.top5);
    EXPECT_NEAR(from_file.loss, from_folder.loss, 1e-6);
    ASSERT_EQ(from_file.answers.size(), from_folder.answers.size());
    for (std::size_t i = 0; i < from_file.answers.size(); ++i) {
      EXPECT_EQ(from_file.answers[i].label, from_folder.answers[i].label);
      EXPECT_EQ(from_file.answers[i].predicted, from_folder.answers[i].predicted);
      EXPECT_NEAR(from_file.answers[i].probability, from_folder.answers[i].probability, 1e-5);
    }
  }

  const auto classified = labels_by_path(classified_csv(classifier_, dir_ / "data"));
  EXPECT_EQ(classified.size(), from_folder.answers.size());
  int64_t correct = 0;
  for (const auto& [path, label] : classified) correct += fs::path(path).parent_path().filename() == label ? 1 : 0;
  EXPECT_EQ(correct, from_folder.scores.correct);
}

TEST_F(EvaluateTest, FiguresFollowFromTheLogits) {
  const Evaluation e = evaluate(classifier_, *open_dataset(dir_ / "data"), "test");
  double loss = 0;
  int64_t in_five = 0;
  const auto split = open_dataset(dir_ / "data")->split("test");
  for (int64_t i = 0; i < split->size(); ++i) {
    const auto all = classifier_.classify(split->image(i), {.top_k = 6});
    for (std::size_t k = 0; k < all.size(); ++k) {
      if (all[k].index != split->label(i)) continue;
      loss -= std::log(static_cast<double>(all[k].probability));
      in_five += k < 5 ? 1 : 0;
    }
  }
  EXPECT_NEAR(e.loss, loss / static_cast<double>(split->size()), 1e-5);
  EXPECT_DOUBLE_EQ(e.top5, static_cast<double>(in_five) / static_cast<double>(split->size()));
}

TEST_F(EvaluateTest, UnreadablePicturesAreNamedAndNotCounted) {
  std::ofstream(dir_ / "data/test/dog/3.png") << "not a picture";
  EvaluateOptions options{.batch = 10};
  std::vector<int64_t> seen;
  options.progress = [&seen](int64_t done, int64_t total) {
    seen.push_back(done);
    EXPECT_EQ(total, 42);
  };
  const Evaluation e = evaluate(classifier_, *open_dataset(dir_ / "data"), "test", options);
  EXPECT_EQ(e.images, 41);
  EXPECT_EQ(seen, (std::vector<int64_t>{10, 20, 30, 40, 42}));
  EXPECT_DOUBLE_EQ(e.images_per_second, 41 / e.seconds);
  ASSERT_EQ(e.unreadable.size(), 1u);
  EXPECT_EQ(e.unreadable[0].index, 10);
  EXPECT_NE(e.unreadable[0].path.find("dog/3.png"), std::string::npos);
  EXPECT_EQ(e.scores.classes[1].images, 6);
}

TEST_F(EvaluateTest, ClassesAreMatchedByName) {
  std::vector<std::string> turned(kNames.rbegin(), kNames.rend());
  Model model = test::small_model(kNames);
  model.class_names = turned;
  Classifier renamed(std::move(model));
  const Evaluation a = evaluate(classifier_, *open_dataset(dir_ / "data"), "test");
  const Evaluation b = evaluate(renamed, *open_dataset(dir_ / "data"), "test");
  EXPECT_EQ(b.class_names, turned);
  for (std::size_t i = 0; i < a.answers.size(); ++i) {
    EXPECT_EQ(b.answers[i].label, 5 - a.answers[i].label);
    EXPECT_EQ(b.answers[i].predicted, a.answers[i].predicted);
  }
}

TEST_F(EvaluateTest, ClassesInCommonAreEvaluatedAndTheRestIsCounted) {
  const auto data = open_dataset(dir_ / "data");
  const auto split = data->split("test");
  const Evaluation all = evaluate(classifier_, *data, "test");
  const auto answer_of = [&](int64_t index) {
    return std::find_if(all.answers.begin(), all.answers.end(), [=](const auto& a) { return a.index == index; });
  };
  // The same weights under other names: the data's 'hen' is unknown, the model's 'yak' has no pictures.
  Model other = test::small_model(kNames);
  other.class_names = {"cat", "dog", "eel", "fox", "gnu", "yak"};
  Classifier classifier(std::move(other));
  const Evaluation part = evaluate(classifier, *data, "test");
  const int64_t hens = all.scores.classes[5].images;
  EXPECT_EQ(part.left_out, hens);
  EXPECT_EQ(part.unknown_classes, std::vector<std::string>{"hen"});
  EXPECT_EQ(part.images, all.images - hens);
  EXPECT_EQ(part.scores.classes[5].images, 0);
  ASSERT_EQ(part.answers.size(), static_cast<std::size_t>(part.images));
  for (const ImageAnswer& a : part.answers) {
    EXPECT_NE(split->label(a.index), 5);
    EXPECT_EQ(a.label, split->label(a.index));
    EXPECT_EQ(a.predicted, answer_of(a.index)->predicted);
    EXPECT_EQ(a.path, split->path(a.index));
  }
}

TEST_F(EvaluateTest, ClassesAreMatchedAsFarAsTheyAreKnown) {
  const auto data = open_dataset(dir_ / "data");
  const Model fewer = test::small_model({"dog", "cat"});
  EXPECT_EQ(match_classes(fewer, data->class_names()), (std::vector<int32_t>{1, 0, -1, -1, -1, -1}));
  const Model more = test::small_model({"ape", "cat", "dog", "eel", "fox", "gnu", "hen"});
  EXPECT_EQ(match_classes(more, data->class_names()), (std::vector<int32_t>{1, 2, 3, 4, 5, 6}));
  Model nameless = test::small_model(kNames);
  nameless.class_names.clear();
  EXPECT_EQ(match_classes(nameless, data->class_names()), (std::vector<int32_t>{0, 1, 2, 3, 4, 5}));
}

TEST_F(EvaluateTest, ClassesThatCannotBeMatchedAreAnErrorThatNamesThem) {
  const auto data = open_dataset(dir_ / "data");
  const Model other = test::small_model({"ape", "yak"});
  EXPECT_NE(message_of([&] {
              match_classes(other, data->class_names());
            }).find("only in the data: 'cat', 'dog', 'eel' and 3 more; only in the model: 'ape', 'yak'"),
            std::string::npos);
  const Model twice = test::small_model({"cat", "cat"});
  EXPECT_NE(message_of([&] { match_classes(twice, data->class_names()); }).find("two classes are named 'cat'"),
            std::string::npos);
  Model nameless = test::small_model({"a", "b"});
  nameless.class_names.clear();
  EXPECT_NE(message_of([&] { match_classes(nameless, data->class_names()); }).find("2 classes without names"),
            std::string::npos);
}

TEST_F(EvaluateTest, PixelsMadeByAnotherRuleAreAnError) {
  import_dataset(dir_ / "data", dir_ / "12.h5", import_options(12, false));
  EXPECT_NE(message_of([&] {
              evaluate(classifier_, *open_dataset(dir_ / "12.h5"), "test");
            }).find("the model needs 16, the data set was resized to 12"),
            std::string::npos);
  ImportOptions squash = import_options(16, false);
  squash.rule = ResizeRule::squash;
  import_dataset(dir_ / "data", dir_ / "squash.h5", squash);
  EXPECT_NE(message_of([&] {
              evaluate(classifier_, *open_dataset(dir_ / "squash.h5"), "test");
            }).find("resized by another rule"),
            std::string::npos);
}

TEST_F(EvaluateTest, AnotherChoiceOfExifRotationIsSaid) {
  ImportOptions options = import_options(0, true);
  options.exif_rotate = true;
  import_dataset(dir_ / "data", dir_ / "turned.h5", options);
  std::vector<std::string> warnings;
  set_log_sink([&](LogLevel level, std::string_view text) {
    if (level == LogLevel::warning) warnings.emplace_back(text);
  });
  evaluate(classifier_, *open_dataset(dir_ / "data"), "test");
  EXPECT_TRUE(warnings.empty());
  evaluate(classifier_, *open_dataset(dir_ / "turned.h5"), "test");
  set_log_sink({});
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_NE(warnings[0].find("imported with --exif-rotate"), std::string::npos) << warnings[0];
}

TEST_F(EvaluateTest, UnknownSplitIsAnErrorThatListsThem) {
  const std::string message = message_of([&] { evaluate(classifier_, *open_dataset(dir_ / "data"), "val"); });
  EXPECT_NE(message.find("'val': the data set has test"), std::string::npos) << message;
  EXPECT_EQ(default_eval_split(*open_dataset(dir_ / "data")), "test");
}

}  // namespace
}  // namespace vit
