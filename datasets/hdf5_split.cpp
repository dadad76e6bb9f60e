#include "datasets/hdf5_split.h"

#include <algorithm>
#include <cstring>

#include "datasets/hdf5_format.h"
#include "preprocess/image.h"
#include "vit/core/buffer.h"
#include "vit/core/error.h"
#include "vit/core/parallel.h"

namespace vit {
namespace {

template <class... Parts>
[[noreturn]] void fail_field(const h5::File& file, const std::string& field, const Parts&... fault) {
  fail(ErrorKind::data, "[dataset] ", field, " of ", file.path().string(), " ", fault...);
}

h5::DatasetInfo field_info(const h5::File& file, const std::string& field, h5::Type type, std::size_t rank,
                           const char* wanted) {
  h5::DatasetInfo info = file.info(field);
  if (info.type != type || info.shape.size() != rank) fail_field(file, field, "needs ", wanted);
  return info;
}

void check_length(const h5::File& file, const std::string& field, int64_t length, int64_t wanted) {
  if (length != wanted) fail_field(file, field, "needs ", wanted, " entries to match the labels, has ", length);
}

/// Bytes of the blob that `offsets` cuts into `count` pieces.
int64_t blob_bytes(const h5::File& file, const std::string& blob, const std::string& offsets, int64_t count) {
  const auto cuts = field_info(file, offsets, h5::Type::i64, 1, "int64 [n + 1]");
  check_length(file, offsets, cuts.shape[0], count + 1);
  return field_info(file, blob, h5::Type::u8, 1, "uint8 [total]").shape[0];
}

std::vector<int64_t> read_offsets(const h5::File& file, const std::string& field, int64_t count, int64_t total) {
  std::vector<int64_t> offsets(static_cast<std::size_t>(count) + 1);
  file.read(field, std::span(offsets));
  if (offsets.front() != 0 || offsets.back() != total)
    fail_field(file, field, "needs to run from 0 to ", total, ", runs from ", offsets.front(), " to ", offsets.back());
  const auto bad = std::is_sorted_until(offsets.begin(), offsets.end());
  if (bad != offsets.end()) fail_field(file, field, "decreases at entry ", bad - offsets.begin());
  return offsets;
}

/// The bytes of all pictures of a split as rows of equal size: in memory, or read from the file when asked for.
class PictureBytes {
 public:
  PictureBytes(const h5::File& file, const std::string& field, bool in_memory)
      : reader_(std::make_unique<h5::ChunkReader>(file.path(), field)), row_bytes_(reader_->row_bytes()) {
    if (!in_memory) return;
    const int64_t rows = reader_->rows();
    memory_ = AlignedBuffer<uint8_t>(rows * row_bytes_);
    const int64_t grain = std::max<int64_t>(1, reader_->rows_per_chunk() > 0 ? reader_->rows_per_chunk() : rows);
    parallel_for(rows, grain, [&](int64_t begin, int64_t end) {
      const auto bytes = static_cast<std::size_t>((end - begin) * row_bytes_);
      reader_->read_rows(begin, end - begin, {memory_.data() + begin * row_bytes_, bytes});
    });
    reader_.reset();
  }

  bool in_memory() const { return reader_ == nullptr; }

  /// Of rows in memory.
  std::span<const uint8_t> view(int64_t begin, int64_t rows) const {
    return memory_.span().subspan(static_cast<std::size_t>(begin * row_bytes_),
                                  static_cast<std::size_t>(rows * row_bytes_));
  }

  /// As many rows as fill `to`.
  void copy(int64_t begin, std::span<uint8_t> to) const {
    const int64_t rows = std::ssize(to) / row_bytes_;
    if (in_memory()) {
      std::ranges::copy(view(begin, rows), to.begin());
    } else {
      reader_->read_rows(begin, rows, to);
    }
  }

 private:
  std::unique_ptr<h5::ChunkReader> reader_;  // null when in memory
  int64_t row_bytes_;
  AlignedBuffer<uint8_t> memory_;
};

class Hdf5Split final : public Split {
 public:
  Hdf5Split(const h5::File& file, const SplitHeader& header, int64_t classes, int64_t memory_budget)
      : header_(header),
        file_name_(file.path().string()),
        pictures_(file, group() + (header.encoded ? "/encoded" : "/images"), header.picture_bytes <= memory_budget) {
    read_labels(file, classes);
    if (header.encoded) offsets_ = read_offsets(file, group() + "/offsets", header.size, header.picture_bytes);
    if (header.paths) read_paths(file);
    if (pictures_.in_memory() && !header.checksum.empty()) verify(file);
  }

  int64_t size() const override { return header_.size; }

  int32_t label(int64_t index) const override { return labels_[checked(index)]; }

  std::string path(int64_t index) const override {
    const std::size_t i = checked(index);
    if (!header_.paths) return "";
    return paths_.substr(static_cast<std::size_t>(path_offsets_[i]),
                         static_cast<std::size_t>(path_offsets_[i + 1] - path_offsets_[i]));
  }

  Image image(int64_t index) const override {
    checked(index);
    if (!header_.encoded) {
      cv::Mat rgb = new_pixels(header_.width, header_.height);
      pictures_.copy(index, {rgb.data, rgb.total() * rgb.elemSize()});
      return image_from_rgb(std::move(rgb));
    }
    const auto [begin, bytes] = rows_of(index);
    const DecodeLimits limits;
    if (bytes > limits.max_bytes)
      fail(ErrorKind::data, "[dataset] ", label_of(index), " has ", bytes, " bytes, at most ", limits.max_bytes,
           " are read");
    if (pictures_.in_memory()) return decode_image(pictures_.view(begin, bytes), label_of(index), limits);
    std::vector<uint8_t> file(static_cast<std::size_t>(bytes));
    pictures_.copy(begin, file);
    return decode_image(file, label_of(index), limits);
  }

 private:
  std::string group() const { return "/" + header_.name; }

  std::size_t checked(int64_t index) const {
    if (index < 0 || index >= header_.size)
      fail(ErrorKind::internal, "[dataset] picture ", index, " of ", header_.size, " in ", group(), " of ", file_name_);
    return static_cast<std::size_t>(index);
  }

  /// First row and number of rows of a picture.
  std::pair<int64_t, int64_t> rows_of(int64_t index) const {
    if (!header_.encoded) return {index, 1};
    const auto i = static_cast<std::size_t>(index);
    return {offsets_[i], offsets_[i + 1] - offsets_[i]};
  }

  std::string label_of(int64_t index) const {
    const std::string place = concat("picture ", index, " of ", group(), " in ", file_name_);
    return header_.paths ? concat(path(index), " (", place, ")") : place;
  }

  void read_labels(const h5::File& file, int64_t classes) {
    labels_.resize(static_cast<std::size_t>(header_.size));
    file.read(group() + "/labels", std::span(labels_));
    const auto bad =
        std::find_if(labels_.begin(), labels_.end(), [&](int32_t label) { return label < 0 || label >= classes; });
    if (bad != labels_.end())
      fail_field(file, group() + "/labels", "holds ", *bad, " at entry ", bad - labels_.begin(), ", needs 0 to ",
                 classes - 1, " for ", classes, " class names");
  }

  void read_paths(const h5::File& file) {
    const std::string field = group() + "/paths";
    std::vector<uint8_t> bytes(static_cast<std::size_t>(file.info(field).shape[0]));
    file.read(field, std::span(bytes));
    paths_.assign(bytes.begin(), bytes.end());
    path_offsets_ = read_offsets(file, group() + "/path_offsets", header_.size, static_cast<int64_t>(paths_.size()));
  }

  void verify(const h5::File& file) const {
    PictureChecksum sum;
    for (int64_t i = 0; i < header_.size; ++i) {
      const auto [begin, rows] = rows_of(i);
      sum.add(labels_[static_cast<std::size_t>(i)], pictures_.view(begin, rows));
    }
    if (sum.hex() != header_.checksum)
      fail_field(file, group(), "has checksum ", header_.checksum, ", its labels and pictures have ", sum.hex(),
                 "; was it damaged or edited?");
  }

  SplitHeader header_;
  std::string file_name_;
  PictureBytes pictures_;
  std::vector<int32_t> labels_;
  std::vector<int64_t> offsets_;
  std::string paths_;
  std::vector<int64_t> path_offsets_;
};

}  // namespace

SplitHeader read_split_header(const h5::File& file, const std::string& name) {
  const std::string group = "/" + name;
  SplitHeader header;
  header.name = name;
  header.size = field_info(file, group + "/labels", h5::Type::i32, 1, "int32 [n]").shape[0];
  header.encoded = file.exists(group + "/encoded");
  if (header.encoded) {
    header.picture_bytes = blob_bytes(file, group + "/encoded", group + "/offsets", header.size);
  } else {
    const std::string field = group + "/images";
    const auto info = field_info(file, field, h5::Type::u8, 4, "uint8 [n, height, width, 3]");
    check_length(file, field, info.shape[0], header.size);
    header.height = info.shape[1];
    header.width = info.shape[2];
    const auto sane = [](int64_t side) { return side >= 1 && side <= kMaxSide; };
    if (!sane(header.height) || !sane(header.width) || info.shape[3] != 3)
      fail_field(file, field, "needs pictures of [height, width, 3], has [", header.height, ", ", header.width, ", ",
                 info.shape[3], "]");
    header.picture_bytes = header.size * header.height * header.width * 3;
  }
  header.paths = file.exists(group + "/paths");
  if (header.paths) blob_bytes(file, group + "/paths", group + "/path_offsets", header.size);
  if (file.has_attribute(group, "checksum")) header.checksum = file.read_attribute(group, "checksum");
  return header;
}

std::shared_ptr<const Split> open_hdf5_split(const h5::File& file, const SplitHeader& header, int64_t classes,
                                             int64_t memory_budget) {
  return std::make_shared<const Hdf5Split>(file, header, classes, memory_budget);
}

}  // namespace vit
