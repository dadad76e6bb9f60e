#include "datasets/image_folder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/caught_error.h"
#include "tests/support/picture_files.h"
#include "tests/support/source_files.h"
#include "tests/support/temp_dir.h"

namespace vit {
namespace {

using test::error_of;
using test::holds;
using test::pixels_of;
using test::png_of;
using test::small_picture;
using test::TempDir;
namespace fs = std::filesystem;

std::string png(int seed, int64_t width = 4, int64_t height = 4) { return png_of(small_picture(width, height, seed)); }

TEST(ImageFolder, GivesSplitsInOrderOfClassAndName) {
  const TempDir dir;
  test::write_folder(dir / "set", {{"train/10/a10.png", png(1)},
                                   {"train/10/a9.png", png(2)},
                                   {"train/9/z.png", png(3)},
                                   {"train/9/sub/b.png", png(4)},
                                   {"train/9/.hidden.png", "x"},
                                   {"train/9/notes.txt", "x"},
                                   {"test/10/t.png", png(5)}});
  const auto data = open_image_folder(dir / "set");
  EXPECT_EQ(data->class_names(), (std::vector<std::string>{"9", "10"}));
  EXPECT_EQ(data->split_names(), (std::vector<std::string>{"train", "test"}));
  EXPECT_EQ(data->split("val"), nullptr);
  EXPECT_EQ(data->split("9"), nullptr);
  EXPECT_TRUE(data->preprocess().is_null());
  EXPECT_EQ(data->checksum("train"), "");
  EXPECT_EQ(data->image_size(), 4);

  const auto train = data->split("train");
  ASSERT_EQ(train->size(), 4);
  const std::vector<std::pair<std::string, int>> expected{
      {"train/9/sub/b.png", 4}, {"train/9/z.png", 3}, {"train/10/a9.png", 2}, {"train/10/a10.png", 1}};
  for (int64_t i = 0; i < 4; ++i) {
    const auto& [path, seed] = expected[static_cast<size_t>(i)];
    EXPECT_EQ(train->path(i), (dir / "set" / path).string());
    EXPECT_EQ(train->label(i), i < 2 ? 0 : 1);
    EXPECT_EQ(pixels_of(train->image(i)), pixels_of(small_picture(4, 4, seed)));
  }
  EXPECT_EQ(data->split("test")->label(0), 1);
}

TEST(ImageFolder, PlainOrderReordersClasses) {
  const TempDir dir;
  test::write_folder(dir / "set", {{"10/a.png", png(1)}, {"9/b.png", png(2)}});
  const auto data = open_image_folder(dir / "set", {FolderReading::automatic, ClassOrder::plain});
  EXPECT_EQ(data->class_names(), (std::vector<std::string>{"10", "9"}));
  EXPECT_EQ(pixels_of(data->split("train")->image(0)), pixels_of(small_picture(4, 4, 1)));
}

TEST(ImageFolder, ImageSizeIsThatOfAllOrNone) {
  const TempDir dir;
  const auto size_with = [&](const std::string& name, const std::string& last) {
    test::write_folder(dir / name, {{"a/1.png", png(1)}, {"b/1.png", png(2)}, {"b/2.png", last}});
    return open_image_folder(dir / name)->image_size();
  };
  EXPECT_EQ(size_with("same", png(3)), 4);
  EXPECT_EQ(size_with("other", png(3, 5, 5)), 0);
  EXPECT_EQ(size_with("oblong", png(3, 4, 5)), 0);
  EXPECT_EQ(size_with("broken", "no picture"), 4) << "what cannot be read has no size";
}

TEST(ImageFolder, NamesPicturesThatCannotBeRead) {
  const TempDir dir;
  test::write_folder(dir / "set", {{"a/1.png", png(1).substr(0, 40)}, {"b/1.png", ""}});
  const auto train = open_image_folder(dir / "set")->split("train");
  for (int64_t i = 0; i < 2; ++i)
    EXPECT_TRUE(holds(error_of(ErrorKind::data, [&] { train->image(i); }), {train->path(i).c_str()}));
}

TEST(ImageFolder, FollowsLinksButNotInCircles) {
  const TempDir dir;
  test::write_folder(dir / "elsewhere", {{"1.png", png(1)}});
  test::write_folder(dir / "set", {{"a/1.png", png(2)}});
  fs::create_directory_symlink(dir / "elsewhere", dir / "set" / "b");
  fs::create_directory_symlink(dir / "set", dir / "set" / "a" / "loop");
  fs::create_symlink(dir / "nowhere.png", dir / "set" / "a" / "gone.png");
  const auto data = open_image_folder(dir / "set");
  EXPECT_EQ(data->class_names(), (std::vector<std::string>{"a", "b"}));
  const auto train = data->split("train");
  ASSERT_EQ(train->size(), 3);
  EXPECT_TRUE(holds(error_of(ErrorKind::io, [&] { train->image(1); }), {"gone.png"}));
}

TEST(ImageFolder, NamesFoldersThatCannotBeRead) {
  const TempDir dir;
  const auto refused = [&](ErrorKind kind, const char* name) {
    return error_of(kind, [&] { open_image_folder(dir / name); });
  };
  EXPECT_TRUE(holds(refused(ErrorKind::io, "absent"), {"absent"}));
  fs::create_directory(dir / "empty");
  EXPECT_TRUE(holds(refused(ErrorKind::data, "empty"), {"empty", "no pictures"}));
  if (geteuid() == 0) return;  // may read everything
  test::write_folder(dir / "set", {{"a/1.png", png(1)}, {"locked/1.png", png(2)}});
  fs::permissions(dir / "set" / "locked", fs::perms::none);
  const auto data = open_image_folder(dir / "set");
  fs::permissions(dir / "set" / "locked", fs::perms::owner_all);
  EXPECT_EQ(data->class_names(), (std::vector<std::string>{"a", "locked"}));
  ASSERT_EQ(data->split("train")->size(), 2);
  EXPECT_TRUE(holds(error_of(ErrorKind::io, [&] { data->split("train")->image(1); }), {"locked", "ermission"}));
}

TEST(ImageFolder, OnlyRegularFilesArePictures) {
  const TempDir dir;
  test::write_folder(dir / "set", {{"a/1.png", png(1)}, {"b/1.png", png(2)}});
  ASSERT_EQ(mkfifo((dir / "set/a/pipe.png").c_str(), 0600), 0);
  ASSERT_EQ(mkfifo((dir / "set/a/control").c_str(), 0600), 0);
  fs::create_symlink("loop.png", dir / "set/b/loop.png");
  const auto train = open_image_folder(dir / "set")->split("train");
  ASSERT_EQ(train->size(), 4);
  EXPECT_TRUE(holds(error_of(ErrorKind::io, [&] { train->image(1); }), {"pipe.png", "named pipe"}));
  EXPECT_TRUE(holds(error_of(ErrorKind::io, [&] { train->image(3); }), {"loop.png", "symbolic links"}));
}

}  // namespace
}  // namespace vit
