#include "datasets/import.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>

#include "datasets/dataset.h"
#include "preprocess/resize_crop.h"
#include "tests/support/caught_error.h"
#include "tests/support/exif.h"
#include "tests/support/picture_files.h"
#include "tests/support/source_files.h"
#include "tests/support/temp_dir.h"
#include "vit/core/parallel.h"

namespace vit {
namespace {

using test::error_of;
using test::FileList;
using test::holds;
using test::pixels_of;
using test::png_of;
using test::small_picture;
using test::TempDir;
namespace fs = std::filesystem;

std::string png(int seed, int64_t width = 4, int64_t height = 4) { return png_of(small_picture(width, height, seed)); }

/// 20 pictures of class 9 (seeds 0..19) and 10 of class 10 (100..109) for train, one each for test.
FileList two_classes() {
  FileList files;
  for (int i = 0; i < 20; ++i) files.emplace_back(concat("train/9/", i, ".png"), png(i));
  for (int i = 0; i < 10; ++i) files.emplace_back(concat("train/10/", i, ".png"), png(100 + i));
  files.emplace_back("test/9/x.png", png(200));
  files.emplace_back("test/10/x.png", png(201));
  return files;
}

/// The seed of a picture of the list, from its path.
int seed_of(const std::string& path) {
  if (path.starts_with("test")) return path == "test/9/x.png" ? 200 : 201;
  const int number = std::stoi(path.substr(path.rfind('/') + 1));
  return path.starts_with("train/10/") ? 100 + number : number;
}

ImportOptions options(std::optional<double> val_fraction = {}) {
  ImportOptions result;
  result.val_fraction = val_fraction;
  return result;
}

class Import : public testing::Test {
 protected:
  ImportSummary import_files(const FileList& files, const ImportOptions& wanted) {
    fs::remove_all(dir_ / "src");
    test::write_folder(dir_ / "src", files);
    fs::remove(dir_ / "out.h5");
    return import_dataset(dir_ / "src", dir_ / "out.h5", wanted);
  }
  std::string refused(ErrorKind kind, const FileList& files, const ImportOptions& wanted = {}) {
    std::string text = error_of(kind, [&] { import_files(files, wanted); });
    EXPECT_FALSE(fs::exists(dir_ / "out.h5"));
    return text;
  }
  std::shared_ptr<const Dataset> opened() { return open_dataset(dir_ / "out.h5"); }

  const TempDir dir_;
};

std::vector<std::string> paths_of(const Dataset& data, const std::string& split) {
  std::vector<std::string> paths;
  const auto pictures = data.split(split);
  for (int64_t i = 0; pictures && i < pictures->size(); ++i) paths.push_back(pictures->path(i));
  return paths;
}

TEST_F(Import, AFolderBecomesPixelsLabelsAndPaths) {
  const ImportSummary summary = import_files(two_classes(), options());
  const auto data = opened();
  EXPECT_EQ(data->class_names(), (std::vector<std::string>{"9", "10"}));
  EXPECT_EQ(data->split_names(), (std::vector<std::string>{"train", "val", "test"}));
  EXPECT_EQ(data->image_size(), 4);
  EXPECT_TRUE(data->preprocess().is_null());
  ASSERT_EQ(summary.splits.size(), 3u);
  EXPECT_EQ(summary.class_names, data->class_names());
  for (const auto& split : summary.splits) {
    const auto pictures = data->split(split.name);
    ASSERT_EQ(pictures->size(), split.images) << split.name;
    EXPECT_EQ(data->checksum(split.name), split.checksum);
    for (int64_t i = 0; i < pictures->size(); ++i) {
      const std::string path = pictures->path(i);
      EXPECT_EQ(pictures->label(i), path.find("/10/") == std::string::npos ? 0 : 1) << path;
      EXPECT_EQ(pixels_of(pictures->image(i)), pixels_of(small_picture(4, 4, seed_of(path)))) << path;
    }
  }
}

TEST_F(Import, ValidationIsAnExactShareOfEachClassAndKeepsTheOrder) {
  import_files(two_classes(), options(0.2));
  const auto val = paths_of(*opened(), "val");
  EXPECT_EQ(std::count_if(val.begin(), val.end(), [](const auto& p) { return p.starts_with("train/9/"); }), 4);
  EXPECT_EQ(std::count_if(val.begin(), val.end(), [](const auto& p) { return p.starts_with("train/10/"); }), 2);

  std::vector<std::string> expected;  // natural order, without those of val
  for (const auto& file : two_classes())
    if (file.first.starts_with("train") && std::find(val.begin(), val.end(), file.first) == val.end())
      expected.push_back(file.first);
  EXPECT_EQ(paths_of(*opened(), "train"), expected);

  ImportOptions other = options(0.2);
  other.seed = 1;
  import_files(two_classes(), other);
  EXPECT_NE(paths_of(*opened(), "val"), val);
  import_files(two_classes(), options(0));
  EXPECT_EQ(opened()->split("val"), nullptr);
}

TEST_F(Import, ASourceWithValKeepsIt) {
  FileList files = two_classes();
  files.emplace_back("valid/9/v.png", png(7));
  import_files(files, options());
  EXPECT_EQ(paths_of(*opened(), "val"), (std::vector<std::string>{"valid/9/v.png"}));
  EXPECT_EQ(opened()->split("train")->size(), 30);
}

TEST_F(Import, ArchivesGiveTheSameAsFolders) {
  const ImportSummary folder = import_files(two_classes(), options());
  for (const char* name : {"a.tar", "a.tar.gz", "a.tar.xz", "a.zip"}) {
    test::write_archive(dir_ / name, two_classes());
    const ImportSummary archive = import_dataset(dir_ / name, dir_ / (std::string(name) + ".h5"), options());
    ASSERT_EQ(archive.splits.size(), 3u);
    for (size_t s = 0; s < 3; ++s) EXPECT_EQ(archive.splits[s].checksum, folder.splits[s].checksum) << name;
  }
}

TEST_F(Import, TheFileIsTheSameForAnyNumberOfThreads) {
  set_thread_count(1);
  import_files(two_classes(), options());
  const std::string serial = test::read_bytes(dir_ / "out.h5");
  ASSERT_GT(serial.size(), 32u * 48u);
  set_thread_count(5);
  import_files(two_classes(), options());
  set_thread_count(0);
  EXPECT_TRUE(test::read_bytes(dir_ / "out.h5") == serial);
}

TEST_F(Import, ResizesAndSaysHow) {
  ImportOptions wanted = options(0);
  wanted.size = 3;
  wanted.rule = ResizeRule::squash;
  wanted.interpolation = Interpolation::area;
  import_files({{"a/1.png", png(1, 9, 6)}, {"b/1.png", png(2, 5, 7)}}, wanted);
  const auto data = opened();
  EXPECT_EQ(data->image_size(), 3);
  const PreprocessConfig geometry = preprocess_config_from_json(data->preprocess(), "out.h5");
  EXPECT_EQ(geometry.size, 3);
  EXPECT_EQ(geometry.rule, ResizeRule::squash);
  EXPECT_EQ(geometry.interpolation, Interpolation::area);
  const auto train = data->split("train");
  EXPECT_EQ(pixels_of(train->image(0)), pixels_of(resize_crop(small_picture(9, 6, 1), geometry)));
  EXPECT_EQ(pixels_of(train->image(1)), pixels_of(resize_crop(small_picture(5, 7, 2), geometry)));
}

TEST_F(Import, WithoutASizeAllMustBeOne) {
  EXPECT_TRUE(holds(refused(ErrorKind::data,
                            {{"a/1.png", png(1)}, {"a/2.png", png(1)}, {"b/1.png", png(2, 4, 5)}, {"b/2.png", png(1)}}),
                    {"b/1.png", "4 x 4", "4 x 5", "--size", "--encoded"}));
}

TEST_F(Import, EncodedKeepsTheBytesAndTheSizes) {
  ImportOptions wanted = options(0);
  wanted.encoded = true;
  import_files({{"a/1.png", png(1, 9, 6)}, {"b/1.png", png(2, 5, 7)}}, wanted);
  const std::string file = test::read_bytes(dir_ / "out.h5");
  EXPECT_NE(file.find(png(1, 9, 6) + png(2, 5, 7)), std::string::npos);
  const auto train = opened()->split("train");
  EXPECT_EQ(pixels_of(train->image(0)), pixels_of(small_picture(9, 6, 1)));
  EXPECT_EQ(train->image(1).rgb.cols, 5);
  EXPECT_EQ(opened()->image_size(), 0);
}

TEST_F(Import, UnreadablePicturesAreLeftOutNamedAndCounted) {
  for (const bool encoded : {false, true}) {
    FileList files = two_classes();
    files[3].second = "this is no picture";
    files[7].second.resize(files[7].second.size() / 2);
    files[25].second.clear();
    files.emplace_back("train/9/notes.txt", "x");
    ImportOptions wanted = options(0);
    wanted.encoded = encoded;
    const ImportSummary summary = import_files(files, wanted);
    EXPECT_EQ(summary.splits[0].images, 27);
    EXPECT_EQ(summary.ignored, 1);
    ASSERT_EQ(summary.unreadable.size(), 3u);
    const char* expected[] = {"train/9/3.png", "train/9/7.png", "train/10/5.png"};
    for (size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(summary.unreadable[i].path, expected[i]);
      EXPECT_TRUE(holds(summary.unreadable[i].error, {expected[i]}));
    }
    const auto paths = paths_of(*opened(), "train");
    EXPECT_EQ(std::count(paths.begin(), paths.end(), "train/9/3.png"), 0);
  }
  EXPECT_TRUE(holds(refused(ErrorKind::data, {{"a/1.png", "x"}, {"b/1.png", "y"}}), {"not one of 2", "a/1.png"}));
}

TEST_F(Import, ReportsProgress) {
  std::vector<std::pair<int64_t, int64_t>> calls;
  ImportOptions wanted = options();
  wanted.progress = [&](int64_t done, int64_t total) { calls.emplace_back(done, total); };
  import_files(two_classes(), wanted);
  ASSERT_GE(calls.size(), 2u);
  EXPECT_EQ(calls.front(), (std::pair<int64_t, int64_t>{0, -1}));
  EXPECT_EQ(calls.back(), (std::pair<int64_t, int64_t>{32, 32}));
  EXPECT_TRUE(std::is_sorted(calls.begin(), calls.end()));
}

std::string big_endian(uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 255);
  return bytes;
}

/// Ten gray pictures of 2 x 2, label i % 2, all pixels 20 i.
FileList mnist() {
  std::string images = big_endian(0x803) + big_endian(10) + big_endian(2) + big_endian(2);
  std::string labels = big_endian(0x801) + big_endian(10);
  for (int i = 0; i < 10; ++i) {
    images += std::string(4, static_cast<char>(20 * i));
    labels += static_cast<char>(i % 2);
  }
  return {{"t10k-images-idx3-ubyte", images},
          {"t10k-labels-idx1-ubyte", labels},
          {"train-images-idx3-ubyte", images},
          {"train-labels-idx1-ubyte", labels}};
}

TEST_F(Import, MnistIsKnownAndSplit) {
  const ImportSummary summary = import_files(mnist(), options(0.2));
  const auto data = opened();
  EXPECT_EQ(data->class_names(), (std::vector<std::string>{"0", "1"}));
  ASSERT_EQ(summary.splits.size(), 3u);
  EXPECT_EQ(summary.splits[0].images, 8);
  EXPECT_EQ(summary.splits[1].images, 2);
  EXPECT_EQ(data->split("val")->label(0) + data->split("val")->label(1), 1);
  for (int64_t i = 0; i < 10; ++i) {
    EXPECT_EQ(pixels_of(data->split("test")->image(i)), std::vector<uint8_t>(12, static_cast<uint8_t>(20 * i)));
    EXPECT_EQ(data->split("test")->label(i), i % 2);
  }
  ImportOptions larger = options(0);
  larger.size = 6;
  import_files(mnist(), larger);
  EXPECT_EQ(pixels_of(opened()->split("train")->image(3)), std::vector<uint8_t>(108, 60));
  larger.size = 0;
  larger.encoded = true;
  EXPECT_TRUE(holds(refused(ErrorKind::usage, mnist(), larger), {"encoded"}));
}

TEST_F(Import, CifarIsKnownInFolderAndArchive) {
  FileList files;
  for (int b = 1; b <= 6; ++b) {
    std::string batch;
    for (int i = 0; i < 10; ++i) batch += static_cast<char>(i) + std::string(3072, static_cast<char>(10 * b + i));
    files.emplace_back(
        b == 6 ? "cifar-10-batches-bin/test_batch.bin" : concat("cifar-10-batches-bin/data_batch_", b, ".bin"), batch);
  }
  const ImportSummary folder = import_files(files, options(0.2));
  EXPECT_EQ(folder.splits[0].images, 40);
  EXPECT_EQ(folder.splits[1].images, 10);
  EXPECT_EQ(pixels_of(opened()->split("test")->image(4)), std::vector<uint8_t>(3072, 64));
  test::write_archive(dir_ / "cifar-10-binary.tar.gz", files);
  const ImportSummary archive = import_dataset(dir_ / "cifar-10-binary.tar.gz", dir_ / "archive.h5", options(0.2));
  EXPECT_EQ(archive.splits[0].checksum, folder.splits[0].checksum);
}

TEST_F(Import, SaysWhatItLookedFor) {
  EXPECT_TRUE(holds(refused(ErrorKind::data, {{"a/x.txt", "1"}}),
                    {"src", "data_batch_1.bin", "train-images-idx3-ubyte", ".png", "1 files"}));
  EXPECT_TRUE(holds(refused(ErrorKind::data, {{"cifar-10-batches-py/data_batch_1", "1"}}), {"binary version"}));
  ImportOptions wanted;
  wanted.format = SourceFormat::cifar10;
  EXPECT_TRUE(holds(refused(ErrorKind::data, two_classes(), wanted), {"data_batch_1.bin", "missing"}));
  EXPECT_TRUE(
      holds(error_of(ErrorKind::io, [&] { import_dataset(dir_ / "absent", dir_ / "out.h5", {}); }), {"absent"}));
}

TEST_F(Import, RefusesSenselessOptionsAndData) {
  EXPECT_TRUE(holds(refused(ErrorKind::data, {{"a/1.png", png(1)}}), {"2 classes", "(a)"}));
  ImportOptions wanted;
  wanted.size = -1;
  EXPECT_TRUE(holds(refused(ErrorKind::usage, two_classes(), wanted), {"size"}));
  wanted.size = 8;
  wanted.encoded = true;
  EXPECT_TRUE(holds(refused(ErrorKind::usage, two_classes(), wanted), {"encoded"}));
  EXPECT_TRUE(holds(refused(ErrorKind::usage, two_classes(), options(1)), {"val fraction"}));
}

TEST_F(Import, EachClassKeepsATrainingPicture) {
  std::vector<std::string> notes;
  ImportOptions wanted = options(0.6);
  wanted.plan = [&](const ImportPlan& plan) { notes = plan.notes; };
  import_files({{"a/1.png", png(1)}, {"b/1.png", png(1)}}, wanted);
  EXPECT_EQ(opened()->split("train")->size(), 2);
  EXPECT_EQ(opened()->split("val"), nullptr);
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_TRUE(holds(notes[0], {"val:", "0.6", "no val"}));

  import_files({{"a/1.png", png(1)}, {"b/1.png", png(1)}, {"b/2.png", png(2)}}, wanted);
  EXPECT_EQ(opened()->split("train")->size(), 2);
  EXPECT_EQ(opened()->split("val")->label(0), 1);
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_TRUE(holds(notes[0], {"val: 1 classes", "(a)"}));
}

TEST_F(Import, ThePlanComesBeforeThePictures) {
  int plans = 0;
  ImportOptions wanted = options(0.2);
  wanted.plan = [&](const ImportPlan& plan) {
    ++plans;
    EXPECT_EQ(plan.class_names, (std::vector<std::string>{"9", "10"}));
    EXPECT_EQ(plan.pictures, (std::vector<std::vector<int64_t>>{{16, 8}, {4, 2}, {1, 1}}));
    ASSERT_EQ(plan.split_folders.size(), 2u);
  };
  wanted.progress = [&](int64_t, int64_t total) { EXPECT_TRUE(total < 0 || plans == 1); };
  import_files(two_classes(), wanted);
  EXPECT_EQ(plans, 1);
}

TEST_F(Import, AClassWithoutReadablePicturesStaysAndIsSaid) {
  FileList files{{"ant/1.png", png(1)}, {"bee/1.heic", "x"}, {"cat/1.png", png(2)}};
  const ImportSummary summary = import_files(files, options(0));
  EXPECT_EQ(opened()->class_names(), (std::vector<std::string>{"ant", "bee", "cat"}));
  EXPECT_EQ(opened()->split("train")->label(1), 2);
  ASSERT_EQ(summary.unreadable.size(), 1u);
  EXPECT_EQ(summary.unreadable[0].path, "bee/1.heic");
  ASSERT_EQ(summary.notes.size(), 1u);
  EXPECT_TRUE(holds(summary.notes[0], {"without pictures: 1 (bee)"}));
}

TEST_F(Import, FaultsAreNamedAndCounted) {
  test::write_folder(dir_ / "src", {{"a/1.png", png(1)}, {"b/1.png", png(2)}});
  fs::create_symlink("nowhere", dir_ / "src" / "dog");
  const ImportSummary summary = import_dataset(dir_ / "src", dir_ / "out.h5", options(0));
  ASSERT_EQ(summary.unreadable.size(), 1u);
  EXPECT_TRUE(holds(summary.unreadable[0].error, {"dog", "link to nowhere"}));
}

TEST_F(Import, NamesThatAreNotUtf8StayApart) {
  for (const char* name : {"src", "src.zip", "src.tar"}) {
    const FileList files{{"caf\xe8/1.png", png(1)}, {"caf\xe9/1.png", png(2)}, {"caf\xc3\xa9/1.png", png(3)}};
    if (std::string(name) == "src")
      test::write_folder(dir_ / name, files);
    else
      test::write_archive(dir_ / name, files);
    ImportOptions wanted = options(0);
    wanted.force = true;
    import_dataset(dir_ / name, dir_ / "out.h5", wanted);
    EXPECT_EQ(opened()->class_names(), (std::vector<std::string>{"caf\xc3\xa9", "caf\xe8", "caf\xe9"})) << name;
  }
}

TEST_F(Import, KeepsWhatIsThereUnlessForced) {
  import_files(two_classes(), options());
  EXPECT_TRUE(
      holds(error_of(ErrorKind::usage, [&] { import_dataset(dir_ / "src", dir_ / "out.h5", options()); }), {"out.h5"}));
  ImportOptions wanted = options(0);
  wanted.force = true;
  import_dataset(dir_ / "src", dir_ / "out.h5", wanted);
  EXPECT_EQ(opened()->split("val"), nullptr);

  // A failure leaves the old file.
  fs::remove_all(dir_ / "src");
  test::write_folder(dir_ / "src", {{"a/1.png", "x"}, {"b/1.png", "x"}});
  error_of(ErrorKind::data, [&] { import_dataset(dir_ / "src", dir_ / "out.h5", wanted); });
  EXPECT_EQ(opened()->split("train")->size(), 30);
  EXPECT_EQ(std::distance(fs::directory_iterator(dir_.path()), fs::directory_iterator()), 2) << "no temporary file";
}

TEST_F(Import, AnArchiveCutAnywhereLeavesNoFile) {
  test::write_archive(dir_ / "whole.tar.gz", two_classes());
  const std::string whole = test::read_bytes(dir_ / "whole.tar.gz");
  for (size_t part = 0; part < 20; ++part) {
    test::write_bytes(dir_ / "cut.tar.gz", whole.substr(0, whole.size() * part / 20));
    EXPECT_TRUE(holds(error_of(ErrorKind::data, [&] { import_dataset(dir_ / "cut.tar.gz", dir_ / "out.h5", {}); }),
                      {"cut.tar.gz"}));
    EXPECT_FALSE(fs::exists(dir_ / "out.h5"));
  }
}

/// A JPEG of 6 x 4 pixels that is to be turned by a quarter.
std::string turned_jpeg() {
  std::vector<uint8_t> file;
  cv::imencode(".jpg", cv::Mat(4, 6, CV_8UC3, cv::Scalar(9, 80, 200)), file);
  return test::with_orientation({file.begin(), file.end()}, 6);
}

TEST_F(Import, ExifRotationIsStoredAndTurnsPixels) {
  const FileList files = {{"a/1.jpg", turned_jpeg()}, {"b/1.jpg", turned_jpeg()}};
  ImportOptions wanted = options(0);
  import_files(files, wanted);
  EXPECT_EQ(opened()->exif_rotate(), false);
  EXPECT_EQ(opened()->split("train")->image(0).rgb.cols, 6);
  wanted.exif_rotate = true;
  import_files(files, wanted);
  EXPECT_EQ(opened()->exif_rotate(), true);
  EXPECT_EQ(opened()->split("train")->image(0).rgb.cols, 4);
  EXPECT_EQ(opened()->split("train")->image(0).rgb.rows, 6);
  wanted.size = 3;
  import_files(files, wanted);
  EXPECT_TRUE(opened()->preprocess()["exif_rotate"].get<bool>());
  wanted.size = 0;
  wanted.encoded = true;
  import_files(files, wanted);
  EXPECT_EQ(opened()->exif_rotate(), true);
  const Image stored = opened()->split("train")->image(0);  // turned by who prepares it
  EXPECT_EQ(stored.rgb.cols, 6);
  EXPECT_EQ(stored.orientation, 6);
}

}  // namespace
}  // namespace vit
