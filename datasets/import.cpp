#include "datasets/import.h"

#include <algorithm>
#include <future>
#include <optional>
#include <utility>

#include "datasets/array_source.h"
#include "datasets/cifar.h"
#include "datasets/entry_source.h"
#include "datasets/mnist_idx.h"
#include "datasets/picture_store.h"
#include "datasets/split.h"
#include "vit/core/error.h"
#include "vit/io/atomic_file.h"

namespace vit {
namespace {

namespace fs = std::filesystem;

constexpr int kTrain = 0;
constexpr int kVal = 1;

void check(const ImportOptions& options) {
  if (options.size < 0) fail(ErrorKind::usage, "[import] size: needs 0 (keep) or more pixels, has ", options.size);
  if (options.encoded && options.size != 0)
    fail(ErrorKind::usage, "[import] needs a size or encoded files, has both; encoded files keep their size");
  if (const double f = options.val_fraction.value_or(0); !(f >= 0 && f < 1))
    fail(ErrorKind::usage, "[import] val fraction: needs 0 <= f < 1, has ", f);
}

void check_classes(const std::vector<std::string>& names, const std::string& where) {
  if (names.size() < 2)
    fail(ErrorKind::data, "[import] ", where, ": needs at least 2 classes, has ", names.size(),
         names.empty() ? "" : " (" + names.front() + ")", "; each class is a folder of its own");
}

/// Python's own versions of CIFAR have no extension.
bool looks_like_pickles(const std::vector<std::string>& paths) {
  return std::any_of(paths.begin(), paths.end(), [](const std::string& path) {
    const std::string_view name = file_name(path);
    return name == "data_batch_1" || name == "batches.meta" || (name == "train" && path.find("cifar") == 0);
  });
}

SourceFormat detect(const std::vector<std::string>& paths, const std::string& where) {
  if (looks_like_cifar(paths, CifarKind::cifar10)) return SourceFormat::cifar10;
  if (looks_like_cifar(paths, CifarKind::cifar100)) return SourceFormat::cifar100;
  if (looks_like_mnist(paths)) return SourceFormat::mnist;
  const auto is_picture = [](const std::string& path) { return !is_hidden(path) && has_image_extension(path); };
  if (std::any_of(paths.begin(), paths.end(), is_picture)) return SourceFormat::folder;
  if (looks_like_pickles(paths))
    fail(ErrorKind::data, "[import] ", where,
         ": is the Python version of CIFAR; take the binary version (cifar-10-binary.tar.gz, cifar-100-binary.tar.gz)");
  fail(ErrorKind::data, "[import] ", where, ": looked among ", paths.size(),
       " files for CIFAR-10 (data_batch_1.bin), CIFAR-100 (train.bin), MNIST (train-images-idx3-ubyte, .gz) and "
       "pictures in class folders (.jpg, .png, ...), found none of them");
}

std::vector<std::string> list_entries(const EntrySource& source) {
  std::vector<std::string> paths;
  const auto stream = source.begin_pass();
  for (std::string path; stream->next(path);) paths.push_back(path);
  return paths;
}

/// Moves some of train to val where the source has no val.
void take_validation(std::vector<int>& splits, const std::vector<int32_t>& labels, int64_t classes,
                     const ImportOptions& options) {
  constexpr double kUsual = 0.1;
  const double fraction = options.val_fraction.value_or(kUsual);
  if (std::count(splits.begin(), splits.end(), kVal) != 0) {
    if (options.seed || options.val_fraction.value_or(0) > 0)
      fail(ErrorKind::usage, "[import] val fraction and seed have no effect: the source has a val split of its own");
    return;
  }
  if (fraction == 0) return;
  std::vector<size_t> train;
  std::vector<int32_t> train_labels;
  for (size_t i = 0; i < splits.size(); ++i) {
    if (splits[i] != kTrain) continue;
    train.push_back(i);
    train_labels.push_back(labels[i]);
  }
  const std::vector<bool> chosen = choose_validation(train_labels, classes, fraction, options.seed.value_or(0));
  if (!train.empty() && std::count(chosen.begin(), chosen.end(), false) == 0)
    fail(ErrorKind::usage, "[import] val fraction ", fraction, " of ", train.size(), " pictures leaves none for train");
  for (size_t k = 0; k < train.size(); ++k)
    if (chosen[k]) splits[train[k]] = kVal;
}

/// Calls options.progress when there is one.
class ProgressReport {
 public:
  ProgressReport(const ImportOptions& options, size_t total) : options_(options), total_(static_cast<int64_t>(total)) {}
  void operator()(int64_t done) const {
    if (options_.progress) options_.progress(done, total_);
  }

 private:
  const ImportOptions& options_;
  int64_t total_;
};

/// Reads the pictures of a layout again, a chunk at a time.
class PictureReader {
 public:
  PictureReader(const EntrySource& source, const std::vector<std::string>& paths, const FolderLayout& layout,
                const std::vector<int>& splits)
      : where_(source.path().string()), stream_(source.begin_pass()), paths_(paths), layout_(layout), splits_(splits) {}

  /// At most `count` pictures; none after the last.
  std::vector<Picture> read(int64_t count) {
    constexpr int64_t kFileBytes = int64_t{32} << 20;
    std::vector<Picture> pictures;
    int64_t bytes = 0;
    for (; at_ < layout_.pictures.size() && static_cast<int64_t>(pictures.size()) < count && bytes < kFileBytes;
         ++at_) {
      const PictureFile& file = layout_.pictures[at_];
      skip_to(file.path);
      Picture& picture = pictures.emplace_back();
      picture.split = splits_[at_];
      picture.label = file.label;
      picture.path = paths_[file.path];
      picture.error = stream_->read(picture.file, DecodeLimits().max_bytes);
      if (!picture.error.empty()) picture.error = concat("[import] ", picture.path, ": ", picture.error);
      bytes += static_cast<int64_t>(picture.file.size());
    }
    return pictures;
  }

 private:
  void skip_to(size_t index) {
    std::string path;
    for (; next_ <= index; ++next_)
      if (!stream_->next(path) || path != paths_[next_])
        fail(ErrorKind::io, "[import] ", where_, ": changed while it was read (at ", paths_[next_], ")");
  }

  std::string where_;
  std::unique_ptr<EntryStream> stream_;
  const std::vector<std::string>& paths_;
  const FolderLayout& layout_;
  const std::vector<int>& splits_;
  size_t at_ = 0;    // in the layout
  size_t next_ = 0;  // in the stream
};

ImportSummary import_pictures(const EntrySource& source, const std::vector<std::string>& paths, const std::string& name,
                              const fs::path& out, const ImportOptions& options) {
  const std::string where = source.path().string();
  const FolderLayout layout = find_layout(paths, options.class_order, where);
  warn_of_unplaced(layout, where);
  check_classes(layout.class_names, where);
  std::vector<int> splits;
  std::vector<int32_t> labels;
  for (const PictureFile& picture : layout.pictures) {
    splits.push_back(picture.split);
    labels.push_back(picture.label);
  }
  take_validation(splits, labels, static_cast<int64_t>(layout.class_names.size()), options);

  PictureStore store(out, options);
  const ProgressReport report(options, layout.pictures.size());
  PictureReader reader(source, paths, layout, splits);
  std::vector<Picture> pictures = reader.read(store.chunk());
  while (!pictures.empty()) {
    // Unpacking goes on beside decoding and writing.
    auto following = std::async(std::launch::async, [&, count = store.chunk()] { return reader.read(count); });
    store.add(pictures);
    report(store.done());
    pictures = following.get();
  }
  ImportSummary summary = store.finish(layout.class_names, name);
  summary.ignored = layout.ignored + layout.unplaced;
  return summary;
}

ImportSummary import_arrays(const ArraySource& arrays, const std::string& where, const std::string& name,
                            const fs::path& out, const ImportOptions& options) {
  if (options.encoded)
    fail(ErrorKind::usage, "[import] ", where, ": holds pixels and no picture files; it cannot be stored encoded");
  if (options.class_order != ClassOrder::natural)
    fail(ErrorKind::usage, "[import] class order has no effect: ", where, " has no class folders");
  check_classes(arrays.class_names, where);
  std::vector<int> splits;
  std::vector<int32_t> labels;
  for (const ArraySplit& split : arrays.splits) {
    splits.insert(splits.end(), split.labels.size(), split.split);
    labels.insert(labels.end(), split.labels.begin(), split.labels.end());
  }
  take_validation(splits, labels, static_cast<int64_t>(arrays.class_names.size()), options);

  PictureStore store(out, options);
  const ProgressReport report(options, labels.size());
  std::vector<Picture> pictures;
  size_t at = 0;
  const auto flush = [&] {
    store.add(pictures);
    report(store.done());
  };
  for (const ArraySplit& split : arrays.splits)
    for (int64_t i = 0; i < static_cast<int64_t>(split.labels.size()); ++i, ++at) {
      Picture& picture = pictures.emplace_back();
      picture.split = splits[at];
      picture.label = labels[at];
      picture.image = split.picture(i);
      if (static_cast<int64_t>(pictures.size()) >= store.chunk()) flush();
    }
  flush();
  return store.finish(arrays.class_names, name);
}

/// The last component, also of "folder/".
std::string last_name(const fs::path& path) {
  const fs::path plain = path.lexically_normal();
  return (plain.has_filename() ? plain : plain.parent_path()).filename().string();
}

}  // namespace

ImportSummary import_dataset(const fs::path& path, const fs::path& out, const ImportOptions& options) {
  check(options);
  refuse_overwrite(out, options.force);
  if (options.progress) options.progress(0, -1);
  const auto source = open_source(path);
  const std::vector<std::string> paths = list_entries(*source);
  const SourceFormat format = options.format == SourceFormat::automatic ? detect(paths, path.string()) : options.format;
  const std::string name = last_name(path);

  std::optional<ArraySource> arrays;
  if (format == SourceFormat::cifar10) arrays = read_cifar(*source, paths, CifarKind::cifar10);
  if (format == SourceFormat::cifar100) arrays = read_cifar(*source, paths, CifarKind::cifar100);
  if (format == SourceFormat::mnist) arrays = read_mnist(*source, paths);
  ImportSummary summary;
  write_atomically(out, [&](const fs::path& temporary) {
    summary = arrays ? import_arrays(*arrays, path.string(), name, temporary, options)
                     : import_pictures(*source, paths, name, temporary, options);
  });
  return summary;
}

}  // namespace vit
