#include "infer/report.h"

#include <gtest/gtest.h>

#include <fstream>
#include <opencv2/imgcodecs.hpp>
#include <sstream>

#include "infer/confusion_picture.h"
#include "infer/report_html.h"
#include "tests/support/temp_dir.h"
#include "vit/core/error.h"

namespace vit {
namespace {

/// Four pictures: cat right, cat taken for dog, dog right, dog right; one unreadable.
Evaluation example() {
  Evaluation e;
  e.split = "test";
  e.class_names = {"cat, tame", "dog"};
  e.images = 4;
  e.unreadable = {{2, "bad.png", "truncated"}};
  e.answers = {
      {0, 0, 0, 0.5f, 0, "a.png"}, {1, 0, 1, 0.75f, 1, "b.png"}, {3, 1, 1, 1.0f, 0, ""}, {4, 1, 1, 1.0f, 0, ""}};
  const std::vector<int32_t> labels{0, 0, 1, 1};
  const std::vector<int32_t> predicted{0, 1, 1, 1};
  e.scores = score(labels, predicted, 2);
  e.top1 = 0.75;
  e.top5 = 1;
  e.loss = 0.5;
  e.images_per_second = 10;
  return e;
}

ReportContext context() { return {"m.h5", "d.h5", DType::f32, 2}; }

std::string contents(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(Report, JsonHasTheFieldsOfTheContract) {
  Evaluation e = example();
  e.class_names[0] = "cat";
  const std::string want =
      R"({"model":"m.h5","data":"d.h5","split":"test","images":4,)"
      R"("unreadable":[{"path":"bad.png","error":"truncated"}],"top1":0.75,"top5":1.0,"loss":0.5,"classes":[)"
      R"({"label":"cat","images":2,"correct":1,"precision":1.0,"recall":0.5,"f1":0.6666666666666666},)"
      R"({"label":"dog","images":2,"correct":2,"precision":0.6666666666666666,"recall":1.0,"f1":0.8}],)"
      R"("confusion":[[1,1],[0,2]],"images_per_second":10.0,"dtype":"fp32","threads":2})";
  EXPECT_EQ(report_json(e, context()).dump(), want);
}

TEST(Report, CsvFiles) {
  EXPECT_EQ(classes_csv(example()),
            "label,images,predicted,correct,precision,recall,f1\n"
            "\"cat, tame\",2,1,1,1,0.5,0.666666667\n"
            "dog,2,3,2,0.666666667,1,0.8\n");
  EXPECT_EQ(predictions_csv(example()),
            "index,path,label,predicted,probability,rank,correct\n"
            "0,a.png,\"cat, tame\",\"cat, tame\",0.5,1,1\n"
            "1,b.png,\"cat, tame\",dog,0.75,2,0\n"
            "3,,dog,dog,1,1,1\n"
            "4,,dog,dog,1,1,1\n");
  EXPECT_EQ(confusion_csv(example()), "true\\predicted,\"cat, tame\",dog\n\"cat, tame\",1,1\ndog,0,2\n");
}

TEST(Report, TextNamesWhatMatters) {
  const std::string text = report_text(example(), context());
  for (const char* part : {"top-1        75.00 %  (3 of 4)", "4 (1 more unreadable)", "cat, tame taken for dog",
                           "bad.png: truncated", "dog               2         2   66.67 %  100.00 %   80.00 %"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
}

TEST(Report, FolderHoldsAllFiles) {
  test::TempDir dir;
  const auto folder = dir / "new/report";
  write_report(folder, example(), context());
  EXPECT_EQ(contents(folder / "report.txt"), report_text(example(), context()));
  EXPECT_EQ(contents(folder / "report.json"), report_json_text(example(), context()));
  EXPECT_EQ(contents(folder / "classes.csv"), classes_csv(example()));
  EXPECT_EQ(contents(folder / "predictions.csv"), predictions_csv(example()));
  EXPECT_EQ(contents(folder / "confusion.csv"), confusion_csv(example()));
  EXPECT_FALSE(cv::imread((folder / "confusion.png").string()).empty());
  const std::string page = contents(folder / "report.html");
  EXPECT_NE(page.find("data:image/png;base64," + base64(contents(folder / "confusion.png"))), std::string::npos);
}

TEST(Report, FolderThatCannotBeMadeIsAnError) {
  test::TempDir dir;
  std::ofstream(dir / "file") << "x";
  EXPECT_THROW(write_report(dir / "file/report", example(), context()), Error);
}

TEST(ReportHtml, Base64IsThatOfTheStandard) {
  // RFC 4648, section 10.
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foob"), "Zm9vYg==");
  EXPECT_EQ(base64("fooba"), "Zm9vYmE=");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xff\xfe"), "//4=");
}

TEST(ReportHtml, NamesCannotBecomeMarkup) {
  EXPECT_EQ(html_escape("<a href=\"x\">&'"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
  Evaluation e = example();
  e.class_names[1] = "<script>";
  e.unreadable[0].path = "<img>";
  const std::string page = report_html(e, context(), "");
  EXPECT_EQ(page.find("<script>"), std::string::npos);
  EXPECT_EQ(page.find("<img>"), std::string::npos);
}

TEST(ConfusionPicture, ShadesCellsByTheirShare) {
  // Names of no width, so that the place of each cell is known from the size: right margin and cells of 64.
  const cv::Mat picture = cv::imdecode(draw_confusion({9, 1, 0, 10}, {"", ""}), cv::IMREAD_COLOR);
  ASSERT_FALSE(picture.empty());
  const auto corner_of = [&](int row, int col) {
    const int right = picture.cols - 16 - 64 * (2 - col);
    const int bottom = picture.rows - 16 - 64 * (2 - row);
    return picture.at<cv::Vec3b>(bottom + 6, right + 6);
  };
  EXPECT_GT(corner_of(0, 0)[0], corner_of(0, 0)[2]);  // blue: right answers
  EXPECT_GT(corner_of(0, 1)[2], corner_of(0, 1)[0]);  // red: wrong ones
  EXPECT_EQ(corner_of(1, 0), cv::Vec3b(255, 255, 255));
  EXPECT_LT(corner_of(1, 1)[2], corner_of(0, 0)[2]);  // all of the row is darker than most of it
}

TEST(ConfusionPicture, TakesOneToAThousandClasses) {
  EXPECT_FALSE(draw_confusion({5}, {"only"}).empty());
  const std::vector<std::string> many(1000, "a name");
  EXPECT_FALSE(draw_confusion(std::vector<int64_t>(1000 * 1000, 1), many).empty());
  EXPECT_THROW(draw_confusion({}, {}), Error);
  EXPECT_THROW(draw_confusion({1, 2, 3}, {"a", "b"}), Error);
}

}  // namespace
}  // namespace vit
