// Inputs that cannot be used: named, counted, never replaced; and models that do not fit their data.
#include <sys/stat.h>

#include "tests/cli/workspace.h"

namespace vit::test {
namespace {

using BadInput = Workspace;

TEST_F(BadInput, EachKindOfUnreadablePictureIsNamedAndCounted) {
  init_model(3);
  write_square(dir_ / "in/good.png", 0, 1);
  const std::string png = text_of(dir_ / "in/good.png");
  write_text("in/zero_bytes.png", "");
  write_text("in/truncated.png", png.substr(0, png.size() / 2));
  write_text("in/header_only.png", png.substr(0, 8));
  write_text("in/text.jpg", "this is no picture\n");
  write_text("in/huge.ppm", "P6\n60000 60000\n255\n");
  const ProgramResult result = run_vit({"classify", path("model.h5"), path("in"), "--format", "csv", "--top-k", "1"});
  ASSERT_TRUE(ended_with(result, 3));
  for (const char* name : {"zero_bytes.png", "truncated.png", "header_only.png", "text.jpg", "huge.ppm"})
    EXPECT_NE(result.err.find(name), std::string::npos) << name << " is not in " << result.err;
  EXPECT_EQ(result.err.find("good.png"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("5 inputs could not be read"), std::string::npos) << result.err;
  EXPECT_EQ(lines_of(result.out).size(), 7u) << "a header and a line an input:\n" << result.out;
}

TEST_F(BadInput, APictureIsKnownByItsBytesNotItsName) {
  init_model(3);
  write_square(dir_ / "a.png", 0, 1);
  std::filesystem::rename(dir_ / "a.png", dir_ / "a.jpg");
  EXPECT_TRUE(ended_with(run_vit({"classify", path("model.h5"), path("a.jpg")}), 0));
}

TEST_F(BadInput, EmptyFolderIsAnError) {
  init_model(3);
  std::filesystem::create_directories(dir_ / "nothing");
  EXPECT_TRUE(failed_with(run_vit({"classify", path("model.h5"), path("nothing")}), 1, {path("nothing")}));
}

TEST_F(BadInput, ExplainGoesOnAfterABadPicture) {
  init_model(3);
  write_text("bad.png", "x");
  write_square(dir_ / "good.png", 0, 1);
  const ProgramResult result =
      run_vit({"explain", path("model.h5"), path("bad.png"), path("good.png"), "--output", path("out")});
  ASSERT_TRUE(ended_with(result, 3));
  EXPECT_NE(result.err.find("bad.png"), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(dir_ / "out/good.png"));
  EXPECT_FALSE(std::filesystem::exists(dir_ / "out/bad.png"));
}

TEST_F(BadInput, EvalCountsUnreadablePictures) {
  make_pictures("pictures", 0, 3);
  write_text("pictures/test/red/bad.png", "x");
  init_model(3);
  const ProgramResult result =
      run_vit({"eval", path("model.h5"), path("pictures"), "--split", "test", "--json", path("eval.json")});
  ASSERT_TRUE(ended_with(result, 3));
  EXPECT_EQ(json_of("eval.json")["images"], 9);
  ASSERT_EQ(json_of("eval.json")["unreadable"].size(), 1u);
  EXPECT_NE(json_of("eval.json")["unreadable"][0]["path"].get<std::string>().find("bad.png"), std::string::npos);
}

TEST_F(BadInput, WrongNumberOfClassesIsOneLine) {
  make_pictures("pictures", 0, 2);
  init_model(4);
  EXPECT_TRUE(failed_with(run_vit({"eval", path("model.h5"), path("pictures"), "--split", "test"}), 1, {"4", "3"}));
}

TEST_F(BadInput, ClassesThatTheModelDoesNotKnowAreLeftOutAndSaid) {
  make_model();
  make_pictures("other", 0, 2);
  std::filesystem::rename(dir_ / "other/test/red", dir_ / "other/test/purple");
  const std::vector<std::string> eval{"eval", path("run/best.h5"), path("other"), "--split", "test"};
  const ProgramResult result = run_vit(eval);
  ASSERT_TRUE(ended_with(result, 0));
  EXPECT_NE(result.err.find("left out: 2 pictures of classes that the model does not know: 'purple'"),
            std::string::npos)
      << result.err;
  std::filesystem::rename(dir_ / "other/test/blue", dir_ / "other/test/cyan");
  std::filesystem::rename(dir_ / "other/test/green", dir_ / "other/test/lime");
  EXPECT_TRUE(failed_with(run_vit(eval), 1, {"no class in common", "purple", "red"}));
}

TEST_F(BadInput, PixelsOfAnotherSizeAreOneLine) {
  make_pictures("pictures", 8, 2);
  ASSERT_TRUE(ended_with(run_vit({"data", "import", path("pictures"), path("small.h5"), "--size", "16"}), 0));
  init_model(3);
  EXPECT_TRUE(failed_with(run_vit({"eval", path("model.h5"), path("small.h5")}), 1, {"16", "20"}));
}

TEST_F(BadInput, MissingSplitIsNamedWithThoseThatAreThere) {
  make_dataset(8, 0);
  init_model(3);
  EXPECT_TRUE(
      failed_with(run_vit({"eval", path("model.h5"), path("data.h5"), "--split", "test"}), 2, {"test", "train"}));
}

TEST_F(BadInput, ModelFileThatIsNoneIsNamed) {
  write_text("model.h5", "x");
  write_square(dir_ / "a.png", 0, 1);
  EXPECT_TRUE(failed_with(run_vit({"classify", path("model.h5"), path("a.png")}), 1, {path("model.h5")}));
  EXPECT_TRUE(failed_with(run_vit({"classify", path("none.h5"), path("a.png")}), 1, {path("none.h5")}));
}

TEST_F(BadInput, NoReadPermissionIsNamed) {
  constexpr uid_t kNobody = 65534;
  init_model(3);
  write_square(dir_ / "in/good.png", 0, 1);
  write_square(dir_ / "in/locked.png", 0, 1);
  ::chmod(path("in/locked.png").c_str(), 0);
  ::chmod(dir_.path().c_str(), 0755);
  const ProgramOptions user{.out = {}, .user = ::geteuid() == 0 ? kNobody : 0};
  const ProgramResult result = run_vit({"classify", path("model.h5"), path("in")}, user);
  if (result.exit_code == 126 || result.exit_code == 127) GTEST_SKIP() << "another user may not run the program here";
  ASSERT_TRUE(ended_with(result, 3));
  EXPECT_NE(result.err.find("locked.png"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("1 input could not be read"), std::string::npos) << result.err;
}

}  // namespace
}  // namespace vit::test
