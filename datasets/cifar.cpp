#include "datasets/cifar.h"

#include <algorithm>
#include <array>
#include <memory>
#include <opencv2/core.hpp>
#include <set>
#include <sstream>
#include <utility>

#include "vit/core/error.h"
#include "vit/core/log.h"

namespace vit {
namespace {

constexpr int kSide = 32;
constexpr int64_t kPlane = kSide * kSide;

struct Format {
  std::vector<std::string> train;
  std::string test;
  std::string names;
  int64_t label_bytes;  // the last of them is the label
  int64_t classes;
  int64_t published;  // records of a train file
  int64_t record() const { return label_bytes + 3 * kPlane; }
};

Format format_of(CifarKind kind) {
  if (kind == CifarKind::cifar100) return {{"train.bin"}, "test.bin", "fine_label_names.txt", 2, 100, 50'000};
  return {{"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"},
          "test_batch.bin",
          "batches.meta.txt",
          1,
          10,
          10'000};
}

class CifarReader {
 public:
  CifarReader(const EntrySource& source, std::span<const std::string> paths, CifarKind kind)
      : where_(source.path().string()), format_(format_of(kind)) {
    names_ = format_.train;
    names_.push_back(format_.test);
    names_.push_back(format_.names);
    std::vector<std::string> found;
    for (const std::string& name : names_) found.push_back(find(paths, name));
    contents_ = read_entries(source, found);
  }

  ArraySource read() && {
    ArraySource result;
    const size_t batches = format_.train.size();
    result.class_names = class_names(contents_[batches + 1]);
    for (size_t i = 0; i <= batches; ++i) check_records(names_[i], contents_[i]);
    check_counts();
    auto contents = std::make_shared<std::vector<Bytes>>(std::move(contents_));
    result.splits.push_back(split(0, contents, 0, batches));
    result.splits.push_back(split(2, contents, batches, batches + 1));
    return result;
  }

 private:
  template <class... Parts>
  [[noreturn]] void reject(const std::string& file, const Parts&... parts) const {
    fail(ErrorKind::data, "[cifar] ", where_, ": ", file, ": ", concat(parts...));
  }

  /// Only the file with class names may be absent.
  std::string find(std::span<const std::string> paths, const std::string& name) const {
    std::string found;
    for (const std::string& path : paths) {
      if (is_hidden(path) || file_name(path) != name) continue;
      if (!found.empty()) reject(name, "needs to be there once, is at ", found, " and ", path);
      found = path;
    }
    if (found.empty() && name != format_.names) reject(name, "is missing");
    return found;
  }

  std::vector<std::string> class_names(const Bytes& text) const {
    std::vector<std::string> names;
    if (text.empty()) {
      log(LogLevel::warning, concat("[cifar] ", where_, ": ", format_.names, " is missing; classes get numbers"));
      for (int64_t c = 0; c < format_.classes; ++c) names.push_back(std::to_string(c));
      return names;
    }
    std::istringstream lines(std::string(text.begin(), text.end()));
    for (std::string line; std::getline(lines, line);) {
      if (!line.empty() && line.back() == '\r') line.pop_back();
      if (!line.empty()) names.push_back(line);
    }
    if (static_cast<int64_t>(names.size()) != format_.classes)
      reject(format_.names, "needs ", format_.classes, " lines with class names, has ", names.size());
    if (std::set<std::string>(names.begin(), names.end()).size() != names.size())
      reject(format_.names, "needs different class names, has one twice");
    return names;
  }

  void check_records(const std::string& file, const Bytes& bytes) const {
    const auto size = static_cast<int64_t>(bytes.size());
    const int64_t record = format_.record();
    if (size == 0 || size % record != 0)
      reject(file, "size: needs a multiple of ", record, " bytes (label and 3 x 32 x 32 pixels), has ", size,
             "; was it copied only in part?");
    for (int64_t r = 0; r < size / record; ++r) {
      const int label = label_of(bytes, r);
      if (label >= format_.classes)
        reject(file, "label of record ", r, ": needs 0 to ", format_.classes - 1, ", has ", label);
    }
  }

  int label_of(const Bytes& bytes, int64_t record) const {
    return bytes[static_cast<size_t>(record * format_.record() + format_.label_bytes - 1)];
  }

  /// A file cut between two records shows in its count only.
  void check_counts() const {
    const auto count = [&](size_t i) { return static_cast<int64_t>(contents_[i].size()) / format_.record(); };
    for (size_t i = 1; i < format_.train.size(); ++i)
      if (count(i) != count(0))
        reject(names_[i], "needs as many records as ", names_[0], " (", count(0), "), has ", count(i),
               "; was one copied only in part?");
    if (count(0) != format_.published)
      log(LogLevel::warning,
          concat("[cifar] ", where_, ": ", names_[0], " has ", count(0), " records, as published ", format_.published));
  }

  /// The records of files [first, last).
  ArraySplit split(int which, std::shared_ptr<const std::vector<Bytes>> contents, size_t first, size_t last) const {
    ArraySplit result;
    result.split = which;
    std::vector<const uint8_t*> pixels;
    for (size_t i = first; i < last; ++i) {
      const Bytes& bytes = (*contents)[i];
      for (int64_t r = 0; r < static_cast<int64_t>(bytes.size()) / format_.record(); ++r) {
        result.labels.push_back(label_of(bytes, r));
        pixels.push_back(bytes.data() + r * format_.record() + format_.label_bytes);
      }
    }
    result.picture = [contents = std::move(contents), pixels = std::move(pixels)](int64_t index) {
      auto* record = const_cast<uint8_t*>(pixels.at(static_cast<size_t>(index)));  // only read
      std::array<cv::Mat, 3> planes;
      for (cv::Mat& plane : planes) {
        plane = cv::Mat(kSide, kSide, CV_8UC1, record);
        record += kPlane;
      }
      cv::Mat rgb;
      cv::merge(planes, rgb);
      return image_from_rgb(std::move(rgb));
    };
    return result;
  }

  std::string where_;
  Format format_;
  std::vector<std::string> names_;  // train, test, class names
  std::vector<Bytes> contents_;     // in the same order
};

}  // namespace

bool looks_like_cifar(std::span<const std::string> paths, CifarKind kind) {
  const Format format = format_of(kind);
  const auto has = [&](const std::string& name) {
    return std::any_of(paths.begin(), paths.end(), [&](const std::string& path) { return file_name(path) == name; });
  };
  const bool train = std::any_of(format.train.begin(), format.train.end(), has);
  if (kind == CifarKind::cifar10) return train || has(format.test);
  return (train || has(format.test)) && (has(format.names) || (train && has(format.test)));
}

ArraySource read_cifar(const EntrySource& source, std::span<const std::string> paths, CifarKind kind) {
  return CifarReader(source, paths, kind).read();
}

}  // namespace vit
