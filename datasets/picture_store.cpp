#include "datasets/picture_store.h"

#include <algorithm>
#include <span>
#include <utility>

#include "preprocess/resize_crop.h"
#include "vit/core/error.h"
#include "vit/core/parallel.h"

namespace vit {
namespace {

std::optional<PreprocessConfig> geometry_of(const ImportOptions& options) {
  if (options.size == 0) return std::nullopt;
  PreprocessConfig geometry;
  geometry.size = options.size;
  geometry.resize_size = options.size;
  geometry.rule = options.rule;
  geometry.interpolation = options.interpolation;
  geometry.exif_rotate = options.exif_rotate;
  validate(geometry);
  return geometry;
}

}  // namespace

PictureStore::PictureStore(const std::filesystem::path& out, const ImportOptions& options)
    : options_(options), geometry_(geometry_of(options)), writer_(out), splits_(std::size(kSplitNames)) {}

void PictureStore::add(std::vector<Picture>& pictures) {
  constexpr int64_t kGrain = 4;
  parallel_for(static_cast<int64_t>(pictures.size()), kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) prepare(pictures[static_cast<size_t>(i)]);
  });
  for (const Picture& picture : pictures) append(picture);
  done_ += static_cast<int64_t>(pictures.size());
  pictures.clear();
}

int64_t PictureStore::chunk() const {
  constexpr int64_t kPixelBytes = int64_t{32} << 20;
  constexpr int64_t kFirst = 16;  // while the size is not known
  constexpr int64_t kLargest = 512;
  if (options_.encoded) return kLargest;
  const int64_t width = geometry_ ? geometry_->size : width_;
  const int64_t height = geometry_ ? geometry_->size : height_;
  if (width == 0) return kFirst;
  return std::clamp<int64_t>(kPixelBytes / (3 * width * height), 1, kLargest);
}

std::vector<std::vector<int64_t>> PictureStore::stored(size_t classes) const {
  return count_pictures(stored_splits_, stored_labels_, classes);
}

ImportSummary PictureStore::finish(const std::vector<std::string>& class_names, const std::string& source) {
  ImportSummary summary;
  for (size_t s = 0; s < splits_.size(); ++s) {
    if (!splits_[s]) continue;
    const int64_t images = splits_[s]->size();
    summary.splits.push_back({std::string(kSplitNames[s]), images, splits_[s]->end()});
  }
  if (summary.splits.empty())
    fail(ErrorKind::data, "[import] ", source, ": not one of ", done_, " pictures can be read",
         unreadable_.empty() ? "" : " (first: " + unreadable_.front().error + ")");
  DatasetMetadata metadata;
  metadata.class_names = class_names;
  metadata.source = source;
  if (geometry_) metadata.preprocess = to_json(*geometry_);
  metadata.exif_rotate = options_.exif_rotate;
  writer_.finish(metadata);
  summary.class_names = class_names;
  summary.unreadable = std::move(unreadable_);
  return summary;
}

void PictureStore::prepare(Picture& picture) const {
  if (!picture.error.empty()) return;
  try {
    if (picture.image.rgb.empty()) picture.image = decode_image(picture.file, picture.path);
    if (options_.encoded) {
      picture.image = {};  // it was decoded to know that it can be
    } else {
      picture.file = {};
      if (geometry_)
        picture.image = resize_crop(picture.image, *geometry_);
      else if (options_.exif_rotate)
        picture.image = upright(picture.image);
      cv::Mat& rgb = picture.image.rgb;
      if (!rgb.isContinuous() || rgb.isSubmatrix()) rgb = rgb.clone();  // lets go of what it was cut from
    }
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::data) throw;
    picture.error = error.what();
  }
}

void PictureStore::append(const Picture& picture) {
  if (!picture.error.empty()) {
    unreadable_.push_back({picture.path, picture.error});
    return;
  }
  if (!options_.encoded) check_size(picture);
  auto& split = splits_[static_cast<size_t>(picture.split)];
  if (!split)
    split = writer_.begin_split(std::string(kSplitNames[static_cast<size_t>(picture.split)]), format_for(picture));
  const cv::Mat& rgb = picture.image.rgb;
  split->append(
      options_.encoded ? std::span<const uint8_t>(picture.file) : std::span<const uint8_t>(rgb.data, rgb.total() * 3),
      picture.label, picture.path);
  stored_splits_.push_back(picture.split);
  stored_labels_.push_back(picture.label);
}

void PictureStore::check_size(const Picture& picture) {
  const int64_t width = picture.image.rgb.cols, height = picture.image.rgb.rows;
  if (width_ == 0) {
    width_ = width;
    height_ = height;
  }
  if (width != width_ || height != height_)
    fail(ErrorKind::data, "[import] ", picture.path, ": needs ", width_, " x ", height_,
         " pixels as the pictures before it, has ", width, " x ", height,
         "; --size makes all one size, --encoded keeps the files as they are");
}

SplitFormat PictureStore::format_for(const Picture& picture) const {
  const bool paths = !picture.path.empty();
  return options_.encoded ? SplitFormat::files(paths) : SplitFormat::pixels(height_, width_, paths);
}

}  // namespace vit
