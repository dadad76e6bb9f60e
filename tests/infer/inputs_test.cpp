#include "infer/inputs.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/support/temp_dir.h"
#include "vit/core/error.h"

namespace vit {
namespace {

namespace fs = std::filesystem;

void touch(const fs::path& path) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << "x";
}

std::vector<std::string> names(const std::vector<InputFile>& files, const fs::path& root) {
  std::vector<std::string> result;
  for (const InputFile& file : files)
    result.push_back(concat(file.error.empty() ? "" : "!", fs::path(file.path).lexically_relative(root).string()));
  return result;
}

TEST(Inputs, FolderGivesPicturesBelowInNaturalOrder) {
  test::TempDir dir;
  for (const char* name : {"10.png", "9.PNG", "notes.txt", ".hidden.png", "b/2.jpg", "b/c/1.jpeg", "a.webp"})
    touch(dir / name);
  EXPECT_EQ(names(expand_inputs({dir.path().string()}), dir.path()),
            (std::vector<std::string>{"9.PNG", "10.png", "a.webp", "b/2.jpg", "b/c/1.jpeg"}));
}

TEST(Inputs, NamedFileIsTakenWhateverItsExtension) {
  test::TempDir dir;
  touch(dir / "picture.dat");
  EXPECT_EQ(names(expand_inputs({(dir / "picture.dat").string()}), dir.path()),
            (std::vector<std::string>{"picture.dat"}));
}

TEST(Inputs, MissingFileStaysInPlaceWithItsError) {
  test::TempDir dir;
  touch(dir / "a.png");
  touch(dir / "b.png");
  const auto files =
      expand_inputs({(dir / "b.png").string(), (dir / "missing.png").string(), (dir / "a.png").string()});
  EXPECT_EQ(names(files, dir.path()), (std::vector<std::string>{"b.png", "!missing.png", "a.png"}));
  EXPECT_NE(files[1].error.find("no such file"), std::string::npos);
}

TEST(Inputs, PatternIsExpanded) {
  test::TempDir dir;
  for (const char* name : {"p10.png", "p9.png", "q1.png", "f/1.png"}) touch(dir / name);
  EXPECT_EQ(names(expand_inputs({(dir / "p*.png").string()}), dir.path()),
            (std::vector<std::string>{"p9.png", "p10.png"}));
  EXPECT_EQ(names(expand_inputs({(dir / "[f]").string()}), dir.path()), (std::vector<std::string>{"f/1.png"}));
  EXPECT_EQ(names(expand_inputs({(dir / "z*.png").string()}), dir.path()), (std::vector<std::string>{"!z*.png"}));
}

TEST(Inputs, FileWhoseNameLooksLikeAPatternIsThatFile) {
  test::TempDir dir;
  touch(dir / "a[1].png");
  touch(dir / "a1.png");
  EXPECT_EQ(names(expand_inputs({(dir / "a[1].png").string()}), dir.path()), (std::vector<std::string>{"a[1].png"}));
}

TEST(Inputs, LinkToAParentFolderEnds) {
  test::TempDir dir;
  touch(dir / "f/1.png");
  fs::create_directory_symlink(dir.path(), dir / "f/up");
  EXPECT_EQ(names(expand_inputs({dir.path().string()}), dir.path()), (std::vector<std::string>{"f/1.png"}));
}

TEST(Inputs, WhatIsNoRegularFileIsNamedAndEndsNothing) {
  test::TempDir dir;
  touch(dir / "f/1.png");
  touch(dir / "f/b/x.gif");
  touch(dir / "empty/notes.txt");
  ASSERT_EQ(mkfifo((dir / "f/0.png").c_str(), 0600), 0);
  ASSERT_EQ(mkfifo((dir / "named").c_str(), 0600), 0);
  fs::create_symlink("nowhere", dir / "f/2.png");
  fs::create_symlink("loop.png", dir / "f/loop.png");
  const auto files = expand_inputs({(dir / "f").string(), (dir / "empty").string(), (dir / "named").string()});
  EXPECT_EQ(names(files, dir.path()), (std::vector<std::string>{"!f/0.png", "f/1.png", "!f/2.png", "f/b/x.gif",
                                                                "!f/loop.png", "!empty", "!named"}));
  EXPECT_NE(files[0].error.find("named pipe"), std::string::npos);
  EXPECT_NE(files[6].error.find("named pipe"), std::string::npos);
}

TEST(Inputs, EmptyFolderAndNoArgumentAreErrors) {
  test::TempDir dir;
  touch(dir / "notes.txt");
  try {
    expand_inputs({dir.path().string()});
    FAIL() << "an empty folder passed";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
    EXPECT_NE(std::string(error.what()).find(dir.path().string()), std::string::npos);
  }
  EXPECT_THROW(expand_inputs({}), Error);
}

}  // namespace
}  // namespace vit
