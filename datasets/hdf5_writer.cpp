#include "datasets/hdf5_writer.h"

#include <algorithm>
#include <array>
#include <set>

#include "datasets/hdf5_format.h"
#include "vit/core/error.h"
#include "vit/core/json_text.h"
#include "vit/io/checksum.h"
#include "vit/io/hdf5.h"

namespace vit {
namespace {

constexpr int64_t kChunkBytes = int64_t{1} << 20;

/// A growing dataset of rows that are written a chunk at a time. A last chunk is stored at full length, so the dataset
/// is made only when the first chunk is full, or at the end with a chunk of what there is.
class ChunkedRows {
 public:
  ChunkedRows(h5::File& file, std::string name, std::vector<int64_t> row_shape)
      : file_(file), name_(std::move(name)), row_shape_(std::move(row_shape)) {
    for (int64_t n : row_shape_) row_bytes_ *= n;
    rows_per_chunk_ = std::max<int64_t>(1, kChunkBytes / row_bytes_);
  }

  /// Whole rows.
  void add(std::span<const uint8_t> bytes) {
    const auto chunk_bytes = static_cast<std::size_t>(rows_per_chunk_ * row_bytes_);
    total_ += static_cast<int64_t>(bytes.size());
    while (!bytes.empty()) {
      const std::size_t taken = std::min(chunk_bytes - buffer_.size(), bytes.size());
      buffer_.insert(buffer_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(taken));
      bytes = bytes.subspan(taken);
      if (buffer_.size() == chunk_bytes) flush();
    }
  }

  void finish() {
    if (!created_) rows_per_chunk_ = std::max<int64_t>(1, static_cast<int64_t>(buffer_.size()) / row_bytes_);
    flush();
  }

  int64_t total_bytes() const { return total_; }

 private:
  void flush() {
    if (!created_) file_.create_growing(name_, row_shape_, rows_per_chunk_);
    created_ = true;
    file_.append_rows(name_, static_cast<int64_t>(buffer_.size()) / row_bytes_, buffer_);
    buffer_.clear();
  }

  h5::File& file_;
  std::string name_;
  std::vector<int64_t> row_shape_;
  int64_t row_bytes_ = 1;
  int64_t rows_per_chunk_ = 1;
  int64_t total_ = 0;
  bool created_ = false;
  std::vector<uint8_t> buffer_;
};

std::span<const uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::vector<int64_t> row_shape(const SplitFormat& format) {
  if (format.encoded) return {};
  return {format.height, format.width, 3};
}

}  // namespace

struct Hdf5DatasetWriter::Impl {
  explicit Impl(const std::filesystem::path& path) : file(h5::File::create(path)) {}

  h5::File file;
  std::set<std::string> open_splits;
  std::set<std::string> ended_splits;
  int32_t largest_label = -1;
};

struct Hdf5SplitWriter::Impl {
  Impl(Hdf5DatasetWriter::Impl& writer_, const std::string& name, const SplitFormat& format_)
      : writer(writer_),
        split(name),
        group("/" + name),
        format(format_),
        pictures(writer_.file, group + (format_.encoded ? "/encoded" : "/images"), row_shape(format_)),
        paths(writer_.file, group + "/paths", {}) {}

  Hdf5DatasetWriter::Impl& writer;
  std::string split;
  std::string group;
  SplitFormat format;
  ChunkedRows pictures;
  ChunkedRows paths;
  std::vector<int32_t> labels;
  std::vector<int64_t> offsets{0};
  std::vector<int64_t> path_offsets{0};
  PictureChecksum checksum;
  bool ended = false;
};

Hdf5SplitWriter::Hdf5SplitWriter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Hdf5SplitWriter::~Hdf5SplitWriter() = default;
Hdf5SplitWriter::Hdf5SplitWriter(Hdf5SplitWriter&&) noexcept = default;
Hdf5SplitWriter& Hdf5SplitWriter::operator=(Hdf5SplitWriter&&) noexcept = default;

void Hdf5SplitWriter::append(std::span<const uint8_t> image, int32_t label, std::string_view path) {
  Impl& s = *impl_;
  const auto size = static_cast<int64_t>(image.size());
  if (s.ended) fail(ErrorKind::internal, "[dataset] split ", s.split, " has ended already");
  if (label < 0)
    fail(ErrorKind::internal, "[dataset] split ", s.split, ": label ", label, " of picture ", this->size());
  if (!s.format.encoded && size != s.format.height * s.format.width * 3)
    fail(ErrorKind::internal, "[dataset] split ", s.split, ": picture ", this->size(), " needs ",
         s.format.height * s.format.width * 3, " bytes, has ", size);
  s.pictures.add(image);
  if (s.format.encoded) s.offsets.push_back(s.pictures.total_bytes());
  if (s.format.paths) {
    s.paths.add(bytes_of(path));
    s.path_offsets.push_back(s.paths.total_bytes());
  }
  s.labels.push_back(label);
  s.checksum.add(label, image);
  s.writer.largest_label = std::max(s.writer.largest_label, label);
}

int64_t Hdf5SplitWriter::size() const { return static_cast<int64_t>(impl_->labels.size()); }

std::string Hdf5SplitWriter::end() {
  Impl& s = *impl_;
  if (s.ended) fail(ErrorKind::internal, "[dataset] split ", s.split, " has ended already");
  s.ended = true;
  h5::File& file = s.writer.file;
  s.pictures.finish();
  const auto write_offsets = [&](const char* name, const std::vector<int64_t>& offsets) {
    file.write(s.group + name, {static_cast<int64_t>(offsets.size())}, std::span(offsets));
  };
  if (s.format.encoded) write_offsets("/offsets", s.offsets);
  if (s.format.paths) {
    s.paths.finish();
    write_offsets("/path_offsets", s.path_offsets);
  }
  file.write(s.group + "/labels", {size()}, std::span<const int32_t>(s.labels));
  const std::string checksum = s.checksum.hex();
  file.write_attribute(s.group, "checksum", checksum);
  s.writer.open_splits.erase(s.split);
  s.writer.ended_splits.insert(s.split);
  return checksum;
}

Hdf5DatasetWriter::Hdf5DatasetWriter(const std::filesystem::path& path) : impl_(std::make_unique<Impl>(path)) {}
Hdf5DatasetWriter::~Hdf5DatasetWriter() = default;

Hdf5SplitWriter Hdf5DatasetWriter::begin_split(const std::string& name, const SplitFormat& format) {
  if (std::find(std::begin(kSplitNames), std::end(kSplitNames), name) == std::end(kSplitNames))
    fail(ErrorKind::internal, "[dataset] split '", name, "' is not train, val or test");
  if (!format.encoded && (format.height < 1 || format.width < 1))
    fail(ErrorKind::internal, "[dataset] split ", name, " has pictures of ", format.width, "x", format.height);
  if (impl_->ended_splits.count(name) > 0 || !impl_->open_splits.insert(name).second)
    fail(ErrorKind::internal, "[dataset] split ", name, " is there already");
  return Hdf5SplitWriter(std::make_unique<Hdf5SplitWriter::Impl>(*impl_, name, format));
}

void Hdf5DatasetWriter::finish(const DatasetMetadata& metadata) {
  if (!impl_->open_splits.empty())
    fail(ErrorKind::internal, "[dataset] split ", *impl_->open_splits.begin(), " was not ended");
  const auto classes = static_cast<int64_t>(metadata.class_names.size());
  if (impl_->largest_label >= classes)
    fail(ErrorKind::internal, "[dataset] label ", impl_->largest_label, " has no name, there are ", classes);
  h5::File& file = impl_->file;
  file.write_attribute("/", "format", kDatasetFormat);
  file.write_attribute("/", "version", kDatasetVersion);
  file.write_attribute("/", "source", metadata.source);
  if (!metadata.preprocess.is_null()) file.write_attribute("/", "preprocess", json_text(metadata.preprocess));
  if (metadata.exif_rotate) file.write_attribute("/", "exif_rotate", "1");
  file.write_texts("/class_names", metadata.class_names);
  file.close();
}

}  // namespace vit
