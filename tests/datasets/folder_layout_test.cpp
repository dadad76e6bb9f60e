#include "datasets/folder_layout.h"

#include <gtest/gtest.h>

#include "tests/support/caught_error.h"

namespace vit {
namespace {

using test::error_of;
using test::holds;
using Paths = std::vector<std::string>;

/// "split:class:path" of each picture.
Paths describe(const Paths& paths, ClassOrder order = ClassOrder::natural) {
  const FolderLayout layout = find_layout(paths, order, "src");
  Paths lines;
  for (const PictureFile& picture : layout.pictures)
    lines.push_back(concat(kSplitNames[static_cast<size_t>(picture.split)], ":",
                           layout.class_names.at(static_cast<size_t>(picture.label)), ":", paths[picture.path]));
  return lines;
}

std::string refused(const Paths& paths) {
  return error_of(ErrorKind::data, [&] { find_layout(paths, ClassOrder::natural, "src"); });
}

TEST(FolderLayout, ClassFoldersAreTrain) {
  EXPECT_EQ(describe({"dog/2.jpg", "cat/1.PNG", "dog/deep/er/3.jpeg"}),
            (Paths{"train:dog:dog/2.jpg", "train:cat:cat/1.PNG", "train:dog:dog/deep/er/3.jpeg"}));
}

TEST(FolderLayout, SplitsLieAboveClasses) {
  EXPECT_EQ(describe({"train/a/1.png", "valid/b/1.png", "validation/a/2.png", "val/a/3.png", "test/c/1.png"}),
            (Paths{"train:a:train/a/1.png", "val:b:valid/b/1.png", "val:a:validation/a/2.png", "val:a:val/a/3.png",
                   "test:c:test/c/1.png"}));
  EXPECT_EQ(describe({"test/a/1.png", "test/b/1.png"}), (Paths{"test:a:test/a/1.png", "test:b:test/b/1.png"}));
}

TEST(FolderLayout, ClassesMayBeCalledAsSplitsAre) {
  EXPECT_EQ(describe({"bus/1.png", "train/1.png"}), (Paths{"train:bus:bus/1.png", "train:train:train/1.png"}));
  EXPECT_EQ(describe({"exam/1.png", "test/x/1.png"}), (Paths{"train:exam:exam/1.png", "train:test:test/x/1.png"}));
}

TEST(FolderLayout, SplitsHoldFolders) {
  EXPECT_EQ(describe({"test/1.png", "val/1.png"}), (Paths{"train:test:test/1.png", "train:val:val/1.png"}));
}

TEST(FolderLayout, AFolderAroundAllIsLeftAside) {
  EXPECT_EQ(describe({"set-1.0/data/train/a/1.png", "set-1.0/data/train/b/1.png"}),
            (Paths{"train:a:set-1.0/data/train/a/1.png", "train:b:set-1.0/data/train/b/1.png"}));
  EXPECT_EQ(describe({"set/a/1.png", "set/b/1.png"}), (Paths{"train:a:set/a/1.png", "train:b:set/b/1.png"}));
  EXPECT_EQ(describe({"one/1.png", "one/2.png"}), (Paths{"train:one:one/1.png", "train:one:one/2.png"}));
}

TEST(FolderLayout, ClassesAreOrderedOverAllSplits) {
  const Paths paths{"train/10/x.png", "train/9/x.png", "test/1/x.png"};
  EXPECT_EQ(find_layout(paths, ClassOrder::natural, "src").class_names, (Paths{"1", "9", "10"}));
  EXPECT_EQ(find_layout(paths, ClassOrder::plain, "src").class_names, (Paths{"1", "10", "9"}));
}

TEST(FolderLayout, CountsWhatItLeavesOut) {
  const Paths paths{"a/1.png",     "a/.2.png",    ".git/a/3.png", "__MACOSX/a/4.png",
                    "a/notes.txt", "README.jpgx", "beside.png",   "b/5.png"};
  const FolderLayout layout = find_layout(paths, ClassOrder::natural, "src");
  EXPECT_EQ(layout.pictures.size(), 2u);
  EXPECT_EQ(layout.ignored, 5);
  EXPECT_EQ(layout.unplaced, 1);
  EXPECT_EQ(layout.first_unplaced, "beside.png");

  // Pictures without labels, as contests publish their test set.
  EXPECT_EQ(describe({"train/a/1.png", "train/b/1.png", "test/1.png"}),
            (Paths{"train:a:train/a/1.png", "train:b:train/b/1.png"}));
}

TEST(FolderLayout, NamesWhatIsWrong) {
  EXPECT_TRUE(holds(refused({}), {"src", "no pictures"}));
  EXPECT_TRUE(holds(refused({"a/x.txt", "a/y.txt"}), {"src", "no pictures", "2 files"}));
  EXPECT_TRUE(holds(refused({"1.png", "2.png"}), {"src", "folder for each class", "1.png"}));
  EXPECT_TRUE(holds(refused({"train/a/1.png", "extra/b/7.png"}), {"src", "'extra'", "extra/b/7.png"}));
}

}  // namespace
}  // namespace vit
