#include "datasets/mnist_idx.h"

#include <algorithm>
#include <array>
#include <memory>
#include <opencv2/core.hpp>
#include <utility>

#include "datasets/archive.h"
#include "datasets/folder_layout.h"
#include "vit/core/error.h"

namespace vit {
namespace {

constexpr int64_t kMaxSideOfIdx = 4096;

/// "train-images-idx3-ubyte", "t10k-labels.idx1-ubyte.gz", "emnist-letters-test-images-idx3-ubyte", ...
struct IdxName {
  bool known = false;
  bool images = false;
  bool train = false;
};

IdxName parse_name(const std::string& path) {
  if (is_hidden(path)) return {};
  std::string_view name = file_name(path);
  if (name.ends_with(".gz")) name.remove_suffix(3);
  const auto has = [&](std::string_view part) { return name.find(part) != std::string_view::npos; };
  const bool images = name.ends_with("idx3-ubyte") && has("images");
  const bool labels = name.ends_with("idx1-ubyte") && has("labels");
  const bool train = has("train");
  const bool test = has("t10k") || has("test");
  return {(images || labels) && train != test, images, train};
}

class IdxFile {
 public:
  IdxFile(std::string where, Bytes bytes, int dimensions) : where_(std::move(where)), bytes_(std::move(bytes)) {
    const int64_t header = 4 + 4 * dimensions;
    if (size() < header) reject("header: needs ", header, " bytes, has ", size(), "; was it copied only in part?");
    const int64_t magic = number(0);
    if (magic != 0x0800 + dimensions)  // 8 = unsigned bytes
      reject("magic number: needs ", 0x0800 + dimensions, " (unsigned bytes of ", dimensions, " dimensions), has ",
             magic);
    for (int d = 0; d < dimensions; ++d) shape_[static_cast<size_t>(d)] = number(4 + 4 * d);
    if (shape_[1] < 1 || shape_[1] > kMaxSideOfIdx || shape_[2] < 1 || shape_[2] > kMaxSideOfIdx)
      reject("rows x columns: needs 1 to ", kMaxSideOfIdx, " each, has ", shape_[1], " x ", shape_[2]);
    const int64_t expected = header + shape_[0] * shape_[1] * shape_[2];  // below 2^32 * 2^24
    if (size() != expected)
      reject("size: needs ", expected, " bytes by its header (", shape_[0], " items), has ", size(),
             "; was it copied only in part?");
    values_ = bytes_.data() + header;
  }
  IdxFile(const IdxFile&) = delete;
  IdxFile& operator=(const IdxFile&) = delete;

  int64_t count() const { return shape_[0]; }
  int64_t rows() const { return shape_[1]; }
  int64_t columns() const { return shape_[2]; }
  const uint8_t* item(int64_t index) const { return values_ + index * rows() * columns(); }

  template <class... Parts>
  [[noreturn]] void reject(const Parts&... parts) const {
    fail(ErrorKind::data, "[mnist] ", where_, ": ", concat(parts...));
  }

 private:
  int64_t size() const { return static_cast<int64_t>(bytes_.size()); }
  int64_t number(int64_t at) const {
    int64_t value = 0;
    for (int64_t i = at; i < at + 4; ++i) value = value << 8 | bytes_[static_cast<size_t>(i)];
    return value;
  }

  std::string where_;
  Bytes bytes_;
  const uint8_t* values_ = nullptr;
  std::array<int64_t, 3> shape_{0, 1, 1};
};

Image picture_of(const IdxFile& images, int64_t index) {
  auto* values = const_cast<uint8_t*>(images.item(index));  // only read
  return image_from_bgr(cv::Mat(static_cast<int>(images.rows()), static_cast<int>(images.columns()), CV_8UC1, values));
}

ArraySplit split_of(int which, std::shared_ptr<const IdxFile> images, const IdxFile& labels) {
  if (images->count() != labels.count())
    labels.reject("items: needs one label for each of ", images->count(), " pictures, has ", labels.count());
  ArraySplit split;
  split.split = which;
  split.labels.assign(labels.item(0), labels.item(labels.count()));
  split.picture = [images = std::move(images)](int64_t index) { return picture_of(*images, index); };
  return split;
}

/// Paths of the images and labels of a split, both or none.
std::array<std::string, 2> find_pair(std::span<const std::string> paths, bool train, const std::string& where) {
  std::array<std::string, 2> found;
  for (const std::string& path : paths) {
    const IdxName name = parse_name(path);
    if (!name.known || name.train != train) continue;
    std::string& place = found[name.images ? 0 : 1];
    if (!place.empty())
      fail(ErrorKind::data, "[mnist] ", where, ": needs one ", train ? "train" : "test", " set, has ", place, " and ",
           path, "; put each set in a folder of its own");
    place = path;
  }
  if (found[0].empty() != found[1].empty())
    fail(ErrorKind::data, "[mnist] ", where, ": needs images and labels, has only ", found[0], found[1]);
  return found;
}

std::shared_ptr<const IdxFile> open_idx(const std::string& where, const std::string& path, Bytes bytes,
                                        int dimensions) {
  const std::string name = where + ": " + path;
  if (path.ends_with(".gz")) bytes = gunzip(bytes, name, SourceLimits().max_entry_bytes);
  return std::make_shared<IdxFile>(name, std::move(bytes), dimensions);
}

}  // namespace

bool looks_like_mnist(std::span<const std::string> paths) {
  return std::any_of(paths.begin(), paths.end(), [](const std::string& path) { return parse_name(path).known; });
}

ArraySource read_mnist(const EntrySource& source, std::span<const std::string> paths) {
  const std::string where = source.path().string();
  std::vector<std::string> wanted;
  for (const bool train : {true, false})
    for (std::string& path : find_pair(paths, train, where)) wanted.push_back(std::move(path));
  std::vector<Bytes> contents = read_entries(source, wanted);

  ArraySource result;
  for (const size_t first : {size_t{0}, size_t{2}}) {
    if (wanted[first].empty()) continue;
    const auto images = open_idx(where, wanted[first], std::move(contents[first]), 3);
    const auto labels = open_idx(where, wanted[first + 1], std::move(contents[first + 1]), 1);
    result.splits.push_back(split_of(first == 0 ? 0 : 2, images, *labels));
  }
  if (result.splits.empty())
    fail(ErrorKind::data, "[mnist] ", where, ": has no train-images-idx3-ubyte or t10k-images-idx3-ubyte (or .gz)");
  int32_t largest = 0;
  for (const ArraySplit& split : result.splits)
    for (const int32_t label : split.labels) largest = std::max(largest, label);
  for (int32_t c = 0; c <= largest; ++c) result.class_names.push_back(std::to_string(c));
  return result;
}

}  // namespace vit
