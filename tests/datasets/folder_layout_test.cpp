#include "datasets/folder_layout.h"

#include <gtest/gtest.h>

#include "tests/support/caught_error.h"

namespace vit {
namespace {

using test::error_of;
using test::holds;
using Paths = std::vector<std::string>;

/// Paths that end in '/' are empty folders.
Listing listing_of(const Paths& paths) {
  Listing listing;
  for (const std::string& path : paths)
    if (path.ends_with('/'))
      listing.folders.push_back(path.substr(0, path.size() - 1));
    else
      listing.files.push_back(path);
  return listing;
}

FolderLayout layout_of(const Paths& paths, const LayoutOptions& options = {}) {
  return find_layout(listing_of(paths), options, "src");
}

/// "split:class:path" of each picture.
Paths describe(const Paths& paths, FolderReading reading = FolderReading::automatic) {
  const FolderLayout layout = layout_of(paths, {reading});
  Paths lines;
  for (const PictureFile& picture : layout.pictures)
    lines.push_back(concat(kSplitNames[static_cast<size_t>(picture.split)], ":",
                           layout.class_names.at(static_cast<size_t>(picture.label)), ":", paths[picture.path]));
  return lines;
}

std::string refused(const Paths& paths, ErrorKind kind = ErrorKind::data,
                    FolderReading reading = FolderReading::automatic) {
  return error_of(kind, [&] { layout_of(paths, {reading}); });
}

/// Two readings are shown, and the one that is asked for is taken.
std::string unclear(const Paths& paths) { return refused(paths, ErrorKind::usage); }

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
  const Paths flat{"test/1.png", "val/1.png"};
  EXPECT_TRUE(holds(unclear(flat), {"src", "classes (test, val)", "in no class folder", "--layout classes"}));
  EXPECT_EQ(describe(flat, FolderReading::classes), (Paths{"train:test:test/1.png", "train:val:val/1.png"}));
  EXPECT_TRUE(holds(refused(flat, ErrorKind::data, FolderReading::splits), {"folder for each class"}));
}

TEST(FolderLayout, AFolderAroundAllIsLeftAside) {
  EXPECT_EQ(describe({"set-1.0/data/train/a/1.png", "set-1.0/data/train/b/1.png"}),
            (Paths{"train:a:set-1.0/data/train/a/1.png", "train:b:set-1.0/data/train/b/1.png"}));
  EXPECT_EQ(describe({"set/a/1.png", "set/b/1.png"}), (Paths{"train:a:set/a/1.png", "train:b:set/b/1.png"}));
  EXPECT_EQ(describe({"one/1.png", "one/2.png"}), (Paths{"train:one:one/1.png", "train:one:one/2.png"}));
}

TEST(FolderLayout, ClassesAreOrderedOverAllSplits) {
  const Paths paths{"train/10/x.png", "train/9/x.png", "test/1/x.png"};
  EXPECT_EQ(layout_of(paths).class_names, (Paths{"1", "9", "10"}));
  EXPECT_EQ(layout_of(paths, {FolderReading::automatic, ClassOrder::plain}).class_names, (Paths{"1", "10", "9"}));
}

TEST(FolderLayout, CountsWhatItLeavesOut) {
  const Paths paths{"a/1.png",     "a/.2.png",    ".git/a/3.png", "__MACOSX/a/4.png",
                    "a/notes.txt", "README.jpgx", "beside.png",   "b/5.png"};
  const FolderLayout layout = layout_of(paths);
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
}

TEST(FolderLayout, AsksWhereFoldersCanBeReadInTwoWays) {
  const Paths extra{"train/a/1.png", "extra/b/7.png"};
  EXPECT_TRUE(holds(unclear(extra), {"src", "classes (extra, train)", "'extra'", "train = train", "--layout splits"}));
  EXPECT_EQ(describe(extra, FolderReading::splits), (Paths{"train:a:train/a/1.png"}));
  EXPECT_EQ(describe(extra, FolderReading::classes), (Paths{"train:train:train/a/1.png", "train:extra:extra/b/7.png"}));
  EXPECT_TRUE(holds(unclear({"bus/1.png", "train/x/1.png"}), {"bus"}));
  // A second copy inside, as published with X-rays of chests and brains.
  EXPECT_TRUE(holds(unclear({"train/a/1.png", "test/a/1.png", "xray/train/a/1.png", "xray/test/a/1.png"}), {"xray"}));
  EXPECT_TRUE(holds(unclear({"yes/1.png", "no/1.png", "brain/yes/1.png", "brain/no/1.png"}), {"brain"}));
  EXPECT_TRUE(holds(unclear({"cat_train/1.png", "cat_test/1.png", "dog_train/1.png", "dog_test/1.png"}), {"'cat'"}));
  EXPECT_TRUE(holds(unclear({"cat/train/1.png", "cat/test/1.png", "dog/1.png"}), {"inside of cat"}));
  EXPECT_TRUE(holds(unclear({"train/train/a/1.png", "train/val/b/1.png", "test/a/1.png"}), {"train"}));
  EXPECT_TRUE(
      holds(refused({"a/1.png", "b/1.png"}, ErrorKind::usage, FolderReading::splits), {"--layout splits", "a, b"}));
  EXPECT_TRUE(
      holds(refused({"a/1.png", "b/1.png"}, ErrorKind::usage, FolderReading::inner_splits), {"--layout inner"}));
}

struct Published {
  const char* train;
  const char* val;
  const char* test;
};

class PublishedNames : public testing::TestWithParam<Published> {};

TEST_P(PublishedNames, AreSplits) {
  Paths paths;
  Paths expected;
  const char* folders[] = {GetParam().train, GetParam().val, GetParam().test};
  for (size_t s = 0; s < 3; ++s)
    for (const char* name : {"a", "b"}) {
      if (folders[s] == nullptr) continue;
      paths.push_back(concat(folders[s], "/", name, "/1.jpg"));
      expected.push_back(concat(kSplitNames[s], ":", name, ":", paths.back()));
    }
  EXPECT_EQ(describe(paths), expected);
  for (std::string& path : paths) path.insert(0, "archive/data set/");
  const FolderLayout layout = layout_of(paths);
  EXPECT_EQ(layout.class_names, (Paths{"a", "b"}));
  EXPECT_EQ(layout.pictures.size(), expected.size());
}

INSTANTIATE_TEST_SUITE_P(
    FolderLayout, PublishedNames,
    testing::Values(Published{"Training", nullptr, "Testing"}, Published{"Train", nullptr, "Test"},
                    Published{"TRAIN", nullptr, "TEST"}, Published{"train", "valid", "test"},
                    Published{"train", "validation", nullptr}, Published{"train", "dev", "test"},
                    Published{"seg_train/seg_train", nullptr, "seg_test/seg_test"},
                    Published{"Train/Train", "Validation/Validation", "Test/Test"},
                    Published{"training_set/training_set", nullptr, "test_set/test_set"},
                    Published{"training set", "validation set", "test set"}, Published{"trainset", nullptr, "testset"},
                    Published{"TrainImages", "ValImages", "TestImages"}, Published{"train_data", nullptr, "test_data"},
                    Published{"images_train", nullptr, "images_test"},
                    Published{"train/images", nullptr, "test/images"}, Published{"birds_train", nullptr, "birds_test"},
                    Published{"train1", nullptr, "test1"}, Published{"train/things", nullptr, "test/things"},
                    Published{"train", nullptr, nullptr}));

TEST(FolderLayout, WhatLiesBesideSplitsIsLeftOutAndSaid) {
  const FolderLayout layout = layout_of({"seg_train/seg_train/a/1.jpg", "seg_train/seg_train/b/1.jpg",
                                         "seg_test/seg_test/a/1.jpg", "seg_pred/seg_pred/1.jpg", "x.csv"});
  EXPECT_EQ(layout.class_names, (Paths{"a", "b"}));
  EXPECT_EQ(layout.pictures.size(), 3u);
  EXPECT_EQ(layout.unplaced, 1);
  std::string notes;
  for (const std::string& note : layout.notes) notes += note + "\n";
  EXPECT_TRUE(
      holds(notes, {"left out: seg_pred beside the splits, with 1 pictures", "1 files that are hidden or not"}));
}

TEST(FolderLayout, SplitsMayLieInClasses) {
  EXPECT_EQ(describe({"cat/train/1.png", "cat/test/1.png", "dog/train/1.png", "dog/test/1.png"}),
            (Paths{"train:cat:cat/train/1.png", "test:cat:cat/test/1.png", "train:dog:dog/train/1.png",
                   "test:dog:dog/test/1.png"}));
}

TEST(FolderLayout, AWrapperMayHaveStrayPicturesBesideIt) {
  EXPECT_EQ(describe({"set/a/1.png", "set/b/1.png", "preview.png"}),
            (Paths{"train:a:set/a/1.png", "train:b:set/b/1.png"}));
}

TEST(FolderLayout, ClassesWithoutReadablePicturesStay) {
  const FolderLayout layout =
      layout_of({"ant/1.png", "bee/1.HEIC", "cat/1.png", "empty/", "empty/deeper/", "notes/readme.txt", "test/"});
  EXPECT_EQ(layout.class_names, (Paths{"ant", "bee", "cat", "empty"}));
  EXPECT_EQ(layout.pictures.size(), 3u);
  std::string notes;
  for (const std::string& note : layout.notes) notes += note + "\n";
  EXPECT_TRUE(holds(notes, {"without a picture that can be read: 2 (bee, empty)", "left out: notes, with 1 files"}));
}

TEST(FolderLayout, FaultsKeepTheirClass) {
  Listing listing = listing_of({"a/1.png", "closed/", "d/2.png"});
  listing.faults = {{"closed", "permission"}, {"d/1.png", "a link to nowhere"}, {"gone", "a link to nowhere"}};
  const FolderLayout layout = find_layout(listing, {}, "src");
  EXPECT_EQ(layout.class_names, (Paths{"a", "closed", "d"}));
  ASSERT_EQ(layout.faults.size(), 2u);
  EXPECT_EQ(layout.faults[0].label, 1);
  EXPECT_EQ(layout.faults[1].label, 2);
}

TEST(FolderLayout, NamesAreBytes) {
  EXPECT_EQ(layout_of({"caf\xe9/1.png", "caf\xe8/1.png", "caf\xc3\xa9/1.png", "cafe\xcc\x81/1.png"}).class_names.size(),
            4u);
}

}  // namespace
}  // namespace vit
