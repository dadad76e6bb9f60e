#include "datasets/import.h"

#include <algorithm>
#include <future>
#include <optional>
#include <utility>

#include "datasets/array_source.h"
#include "datasets/cifar.h"
#include "datasets/entry_source.h"
#include "datasets/folder_shape.h"
#include "datasets/mnist_idx.h"
#include "datasets/picture_store.h"
#include "datasets/split.h"
#include "preprocess/picture_names.h"
#include "vit/core/error.h"
#include "vit/io/atomic_file.h"
#include "vit/io/output.h"

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
  const auto is_picture = [](const std::string& path) { return !is_hidden(path) && is_picture_name(path); };
  if (std::any_of(paths.begin(), paths.end(), is_picture)) return SourceFormat::folder;
  if (looks_like_pickles(paths))
    fail(ErrorKind::data, "[import] ", where,
         ": is the Python version of CIFAR; take the binary version (cifar-10-binary.tar.gz, cifar-100-binary.tar.gz)");
  fail(ErrorKind::data, "[import] ", where, ": looked among ", paths.size(),
       " files for CIFAR-10 (data_batch_1.bin), CIFAR-100 (train.bin), MNIST (train-images-idx3-ubyte, .gz) and "
       "pictures in class folders (.jpg, .png, ...), found none of them");
}

/// The split of each picture: some of train is moved to val where the source has no val. Pictures of which it is known
/// that they cannot be read are no part of the draw.
void take_validation(std::vector<int>& splits, const std::vector<int32_t>& labels, const std::vector<bool>& readable,
                     const ImportOptions& options, ImportPlan& plan) {
  constexpr double kUsual = 0.1;
  const double fraction = options.val_fraction.value_or(kUsual);
  if (std::count(splits.begin(), splits.end(), kVal) != 0) {
    if (options.seed || options.val_fraction.value_or(0) > 0)
      fail(ErrorKind::usage, "[import] val fraction and seed have no effect: the source has a val split of its own");
    return;
  }
  if (fraction == 0) return;
  const size_t classes = plan.class_names.size();
  std::vector<size_t> train;
  std::vector<int32_t> train_labels;
  for (size_t i = 0; i < splits.size(); ++i) {
    if (splits[i] != kTrain || !readable[i]) continue;
    train.push_back(i);
    train_labels.push_back(labels[i]);
  }
  if (train.empty()) return;
  const std::vector<bool> chosen =
      choose_validation(train_labels, static_cast<int64_t>(classes), fraction, options.seed.value_or(0));
  for (size_t k = 0; k < train.size(); ++k)
    if (chosen[k]) splits[train[k]] = kVal;

  const auto counts = count_pictures(splits, labels, classes);
  std::vector<std::string> none;
  for (size_t c = 0; c < classes; ++c)
    if (counts[kTrain][c] > 0 && counts[kVal][c] == 0) none.push_back(plan.class_names[c]);
  if (std::count(splits.begin(), splits.end(), kVal) == 0)
    plan.notes.push_back(
        concat("val: no class has enough pictures for a share of ", fraction, "; there will be no val"));
  else if (!none.empty())
    plan.notes.push_back(concat("val: ", none.size(), " classes have too few pictures for a share of ", fraction,
                                " and none in val (", short_list(none), ")"));
}

/// Classes of which train has no picture although it is there, after what could not be read.
std::vector<std::string> notes_on(const std::vector<std::vector<int64_t>>& stored, const ImportPlan& plan) {
  std::vector<std::string> notes;
  const auto any = [](const std::vector<int64_t>& counts) {
    return std::any_of(counts.begin(), counts.end(), [](int64_t n) { return n > 0; });
  };
  std::vector<std::string> empty;
  std::vector<std::string> untrained;
  for (size_t c = 0; c < plan.class_names.size(); ++c) {
    const bool has_some = std::any_of(stored.begin(), stored.end(), [&](const auto& split) { return split[c] > 0; });
    if (!has_some)
      empty.push_back(plan.class_names[c]);
    else if (any(stored[kTrain]) && stored[kTrain][c] == 0)
      untrained.push_back(plan.class_names[c]);
  }
  if (!empty.empty()) notes.push_back(concat("classes without pictures: ", empty.size(), " (", short_list(empty), ")"));
  if (!untrained.empty())
    notes.push_back(concat("classes without pictures in train: ", untrained.size(), " (", short_list(untrained), ")"));
  return notes;
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
  PictureReader(const EntrySource& source, const FolderLayout& layout, const std::vector<int>& splits)
      : where_(source.path().string()),
        stream_(source.begin_pass()),
        paths_(source.listing().files),
        layout_(layout),
        splits_(splits) {}

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

ImportPlan plan_of(const FolderLayout& layout) {
  ImportPlan plan;
  plan.class_names = layout.class_names;
  plan.reading = layout.reading;
  plan.around = layout.around;
  plan.split_folders = layout.split_folders;
  plan.notes = layout.notes;
  return plan;
}

void announce(ImportPlan& plan, const std::vector<int>& splits, const std::vector<int32_t>& labels,
              const ImportOptions& options) {
  plan.pictures = count_pictures(splits, labels, plan.class_names.size());
  if (options.plan) options.plan(plan);
}

ImportSummary import_pictures(const EntrySource& source, const std::string& name, const fs::path& out,
                              const ImportOptions& options) {
  const std::string where = source.path().string();
  const Listing& listing = source.listing();
  const FolderLayout layout = find_layout(listing, {options.reading, options.class_order}, where);
  check_classes(layout.class_names, where);
  std::vector<int> splits;
  std::vector<int32_t> labels;
  std::vector<bool> readable;
  for (const PictureFile& picture : layout.pictures) {
    splits.push_back(picture.split);
    labels.push_back(picture.label);
    readable.push_back(unreadable_format(listing.files[picture.path]).empty());
  }
  ImportPlan plan = plan_of(layout);
  take_validation(splits, labels, readable, options, plan);
  announce(plan, splits, labels, options);

  PictureStore store(out, options);
  const ProgressReport report(options, layout.pictures.size());
  PictureReader reader(source, layout, splits);
  std::vector<Picture> pictures = reader.read(store.chunk());
  while (!pictures.empty()) {
    // Unpacking goes on beside decoding and writing.
    auto following = std::async(std::launch::async, [&, count = store.chunk()] { return reader.read(count); });
    store.add(pictures);
    report(store.done());
    pictures = following.get();
  }
  ImportSummary summary = store.finish(layout.class_names, name);
  for (const EntryFault& fault : listing.faults) summary.unreadable.push_back({fault.path, fault.error});
  summary.notes = notes_on(store.stored(layout.class_names.size()), plan);
  summary.ignored = layout.ignored + layout.unplaced;
  return summary;
}

ImportSummary import_arrays(const ArraySource& arrays, const std::string& where, const std::string& name,
                            const fs::path& out, const ImportOptions& options) {
  if (options.encoded)
    fail(ErrorKind::usage, "[import] ", where, ": holds pixels and no picture files; it cannot be stored encoded");
  if (options.reading != FolderReading::automatic)
    fail(ErrorKind::usage, "[import] --layout has no effect: ", where, " has no class folders");
  if (options.class_order != ClassOrder::natural)
    fail(ErrorKind::usage, "[import] class order has no effect: ", where, " has no class folders");
  check_classes(arrays.class_names, where);
  std::vector<int> splits;
  std::vector<int32_t> labels;
  for (const ArraySplit& split : arrays.splits) {
    splits.insert(splits.end(), split.labels.size(), split.split);
    labels.insert(labels.end(), split.labels.begin(), split.labels.end());
  }
  ImportPlan plan;
  plan.class_names = arrays.class_names;
  take_validation(splits, labels, std::vector<bool>(splits.size(), true), options, plan);
  announce(plan, splits, labels, options);

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
  check_outputs(
      {{out, OutputKind::file}}, {path}, [](const fs::path& file) { return file.extension() != ".h5"; }, options.force);
  if (options.progress) options.progress(0, -1);
  const auto source = open_source(path);
  const std::vector<std::string>& paths = source->listing().files;
  const SourceFormat format = options.format == SourceFormat::automatic ? detect(paths, path.string()) : options.format;
  const std::string name = last_name(path);

  std::optional<ArraySource> arrays;
  if (format == SourceFormat::cifar10) arrays = read_cifar(*source, paths, CifarKind::cifar10);
  if (format == SourceFormat::cifar100) arrays = read_cifar(*source, paths, CifarKind::cifar100);
  if (format == SourceFormat::mnist) arrays = read_mnist(*source, paths);
  ImportSummary summary;
  write_atomically(out, [&](const fs::path& temporary) {
    summary = arrays ? import_arrays(*arrays, path.string(), name, temporary, options)
                     : import_pictures(*source, name, temporary, options);
  });
  return summary;
}

}  // namespace vit
