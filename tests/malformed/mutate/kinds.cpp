#include "tests/malformed/mutate/kinds.h"

#include <hdf5.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <opencv2/imgcodecs.hpp>
#include <utility>

#include "datasets/dataset.h"
#include "datasets/hdf5_writer.h"
#include "datasets/import.h"
#include "infer/parity.h"
#include "preprocess/image.h"
#include "tests/support/picture_files.h"
#include "tests/support/source_files.h"
#include "tests/train/small_run.h"
#include "train/checkpoint.h"
#include "train/optimizer.h"
#include "train/trainer.h"
#include "vit/core/error.h"
#include "vit/io/hdf5.h"
#include "vit/io/tensor_file.h"
#include "vit/model/model_file.h"

namespace vit::test {
namespace {

namespace fs = std::filesystem;

void use_model(const Example& example) {
  const OpenModel opened = open_model(example.file);
  load_model(example.file);
}

const fs::path kParity = VIT_SOURCE_DIR "/tests/infer";

void use_parity_dump(const Example& example) {
  compare_with_reference(open_model(kParity / "parity_model.h5"), "the model", example.file);
}

void use_data(const Example& example) {
  for (const int64_t budget : {int64_t{1} << 30, int64_t{0}}) {
    const auto data = open_dataset(example.file, {.memory_budget = budget});
    for (const std::string& name : data->split_names()) {
      const auto split = data->split(name);
      for (int64_t i = 0; i < split->size(); ++i) {
        split->label(i);
        split->path(i);
        split->image(i);
      }
    }
  }
}

TrainConfig run_config(float ema_decay) {
  TrainConfig config = small_config();
  config.ema_decay = ema_decay;
  return resolve(config, small_data());
}

void use_checkpoint(const Example& example) {
  load_checkpoint(example.file, run_config(example.file.filename() == "ema.h5" ? 0.9f : 0.0f));
}

void use_picture(const Example& example) { read_image(example.file); }

void import_from(const fs::path& source, const Example& example) {
  ImportOptions options;
  options.val_fraction = 0;
  options.force = true;
  import_dataset(source, example.folder / "out.h5", options);
}
void use_archive(const Example& example) { import_from(example.file, example); }
void use_folder(const Example& example) { import_from(example.folder / "in", example); }

/// All tensors; some are of types that are not read.
void use_tensors(const Example& example) {
  const auto file = open_tensor_file(example.file);
  for (const TensorEntry& entry : file->entries()) {
    if (entry.count > 1 << 24) continue;
    std::vector<float> values(static_cast<std::size_t>(entry.count));
    try {
      file->read(entry, values);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::data) throw;
    }
  }
}

void use_config(const Example& example) { load_run_config(example.file.parent_path()); }

std::string picture(std::string_view extension, int side, int seed) {
  const Image image = small_picture(side, side, seed);
  const cv::Mat mat(side, side, extension == ".pgm" ? CV_8UC1 : CV_8UC3, image.rgb.data);
  std::vector<uint8_t> file;
  cv::imencode(std::string(extension), mat, file);
  return {file.begin(), file.end()};
}

void write_checkpoint(const fs::path& path, float ema_decay) {
  const TrainConfig config = run_config(ema_decay);
  TrainState state;
  state.model = make_initial_model(config, small_data());
  state.model.training = {{"config", to_json(config)}};
  state.optimizer = Optimizer(state.model.layout, config).make_state();
  state.optimizer.updates = 6;
  if (ema_decay > 0) state.raw = ParameterBlock(state.model.layout.block_size());
  state.counters.history = {{.epoch = 1, .step = 6, .lr = 0.1f, .train_loss = 0.7, .val_loss = {}, .val_top1 = 0.5}};
  state.counters.epoch = 1;
  state.counters.step = 6;
  save_checkpoint(path, state);
}

void write_data(const fs::path& path, bool encoded) {
  Hdf5DatasetWriter writer(path);
  for (const char* name : {"train", "test"}) {
    auto split = writer.begin_split(name, encoded ? SplitFormat::files(true) : SplitFormat::pixels(8, 8, true));
    for (int i = 0; i < 20; ++i) {
      const std::string file = picture(".png", 8, i);
      const std::vector<uint8_t> pixels = test::pixels_of(small_picture(8, 8, i));
      split.append(encoded ? std::vector<uint8_t>(file.begin(), file.end()) : pixels, i % 2, "some/path");
    }
    split.end();
  }
  writer.finish({.class_names = {"cat", "dog"}, .source = "here"});
}

/// A data set as other programs write it: the oldest format or the newest, many other links, compressed chunks.
void write_foreign_data(const fs::path& path, bool newest, bool deflate) {
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_libver_bounds(access, newest ? H5F_LIBVER_LATEST : H5F_LIBVER_EARLIEST, H5F_LIBVER_LATEST);
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access);
  const hid_t text = H5Tcopy(H5T_C_S1);
  H5Tset_size(text, 16);
  const auto attribute = [&](const char* name, const char* value) {
    std::array<char, 16> bytes{};
    std::string_view(value).copy(bytes.data(), bytes.size());
    const hid_t space = H5Screate(H5S_SCALAR);
    const hid_t id = H5Acreate2(file, name, text, space, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(id, text, bytes.data());
    H5Aclose(id);
    H5Sclose(space);
  };
  for (int i = 0; i < 12; ++i) attribute(("other" + std::to_string(i)).c_str(), "x");
  attribute("format", "vit-dataset");
  attribute("version", "1");
  const auto dataset = [&](const std::string& name, hid_t type, std::vector<hsize_t> shape, hsize_t rows,
                           const void* data) {
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    std::vector<hsize_t> limit = shape;
    if (rows > 0) {
      std::vector<hsize_t> chunk = shape;
      chunk[0] = rows;
      limit[0] = H5S_UNLIMITED;
      H5Pset_chunk(list, static_cast<int>(chunk.size()), chunk.data());
      if (deflate) H5Pset_shuffle(list), H5Pset_deflate(list, 6);
      H5Pset_fletcher32(list);
    }
    const hid_t space = H5Screate_simple(static_cast<int>(shape.size()), shape.data(), limit.data());
    const hid_t links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    const hid_t id = H5Dcreate2(file, name.c_str(), type, space, links, list, H5P_DEFAULT);
    H5Dwrite(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data);
    H5Dclose(id);
    H5Pclose(links);
    H5Sclose(space);
    H5Pclose(list);
  };
  std::vector<int32_t> labels(60);
  std::vector<uint8_t> pixels(60 * 4 * 4 * 3);
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<int32_t>(i % 2);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(i * 7);
  std::array<char, 32> names{};
  names[0] = 'a', names[16] = 'b';
  dataset("/class_names", text, {2}, 0, names.data());
  dataset("/train/labels", H5T_STD_I32LE, {60}, 0, labels.data());
  dataset("/train/images", H5T_STD_U8LE, {60, 4, 4, 3}, 1, pixels.data());
  for (int i = 0; i < 30; ++i) dataset("/train/other" + std::to_string(i), H5T_STD_I32LE, {5}, 0, labels.data());
  H5Tclose(text);
  H5Fclose(file);
  H5Pclose(access);
}

std::string big_endian(uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 255);
  return bytes;
}

FileList mnist() {
  const std::string images = big_endian(0x803) + big_endian(6) + big_endian(5) + big_endian(5) + std::string(150, 'p');
  const std::string labels = big_endian(0x801) + big_endian(6) + std::string("\0\1\2\0\1\2", 6);
  return {{"train-images-idx3-ubyte", images},
          {"train-labels-idx1-ubyte", labels},
          {"t10k-images-idx3-ubyte", images},
          {"t10k-labels-idx1-ubyte", labels}};
}

FileList cifar() {
  std::string records;
  for (int i = 0; i < 4; ++i) records += static_cast<char>(i) + std::string(3072, static_cast<char>(i * 40));
  FileList files{{"test_batch.bin", records}, {"batches.meta.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n"}};
  for (int i = 1; i <= 5; ++i) files.emplace_back("data_batch_" + std::to_string(i) + ".bin", records);
  return files;
}

FileList photos() {
  FileList files;
  for (int i = 0; i < 6; ++i)
    files.emplace_back(std::string(i % 2 == 0 ? "cat/" : "dog/") + std::to_string(i) + ".png", picture(".png", 8, i));
  return files;
}

class Maker {
 public:
  explicit Maker(fs::path root) : root_(std::move(root)) {}

  /// A folder of its own, and the file in it that `write` makes.
  template <class Write>
  Example example(const std::string& file, const Write& write) {
    const fs::path folder = root_ / std::to_string(next_++);
    fs::create_directories((folder / file).parent_path());
    write(folder / file);
    return {folder, folder / file};
  }
  Example bytes(const std::string& file, const std::string& content) {
    return example(file, [&](const fs::path& path) { write_bytes(path, content); });
  }
  /// Example folders in which one of the files is damaged.
  std::vector<Example> each(const FileList& files, std::initializer_list<const char*> damaged) {
    std::vector<Example> out;
    for (const char* file : damaged) {
      const fs::path folder = root_ / std::to_string(next_++);
      write_folder(folder / "in", files);
      out.push_back({folder, folder / "in" / file});
    }
    return out;
  }

 private:
  fs::path root_;
  int next_ = 0;
};

}  // namespace

std::vector<FileKind> make_kinds(const fs::path& folder, const std::vector<fs::path>& more) {
  Maker maker(folder);
  std::vector<FileKind> kinds;
  const auto model = [](const fs::path& path) {
    ModelConfig config = small_config().model;
    config.classes = 3;
    Model made = make_model(config, 1);
    made.class_names = {"a", "b", "c"};
    made.origin = {{"source", "elsewhere"}};
    made.preprocess = nlohmann::json::object();
    save_model(path, made);
  };
  kinds.push_back({"model", {maker.example("model.h5", model)}, use_model});
  kinds.push_back({"parity dump", {maker.bytes("dump.h5", read_bytes(kParity / "parity_dump.h5"))}, use_parity_dump});
  kinds.push_back({"checkpoint",
                   {maker.example("last.h5", [](const fs::path& path) { write_checkpoint(path, 0); }),
                    maker.example("ema.h5", [](const fs::path& path) { write_checkpoint(path, 0.9f); })},
                   use_checkpoint});
  kinds.push_back({"data",
                   {maker.example("pixels.h5", [](const fs::path& path) { write_data(path, false); }),
                    maker.example("files.h5", [](const fs::path& path) { write_data(path, true); })},
                   use_data});
  std::vector<Example> foreign;
  for (const bool newest : {false, true})
    for (const bool deflate : {false, true})
      foreign.push_back(
          maker.example("foreign.h5", [&](const fs::path& path) { write_foreign_data(path, newest, deflate); }));
  kinds.push_back({"foreign data", std::move(foreign), use_data});
  for (const char* extension : {".jpg", ".png", ".bmp", ".tif", ".webp", ".ppm", ".pgm"})
    kinds.push_back({std::string("picture ") + extension,
                     {maker.bytes(std::string("a") + extension, picture(extension, 40, 1)),
                      maker.bytes(std::string("b") + extension, picture(extension, 9, 2))},
                     use_picture});
  for (const char* name : {"a.zip", "a.tar", "a.tar.gz", "a.tar.xz"})
    kinds.push_back({std::string("archive ") + (name + 1),
                     {maker.example(name, [](const fs::path& path) { write_archive(path, photos()); })},
                     use_archive});
  kinds.push_back({"mnist", maker.each(mnist(), {"train-images-idx3-ubyte", "train-labels-idx1-ubyte"}), use_folder});
  kinds.push_back({"cifar", maker.each(cifar(), {"data_batch_1.bin", "batches.meta.txt"}), use_folder});
  const fs::path tensors = fs::path(VIT_SOURCE_DIR) / "tests/io/tensor_files";
  const auto tensor = [&](const char* file) { return maker.bytes(file, read_bytes(tensors / file)); };
  kinds.push_back({"safetensors", {tensor("types.safetensors"), tensor("written.safetensors")}, use_tensors});
  kinds.push_back({"npz", {tensor("stored.npz"), tensor("deflated.npz"), tensor("versions.npz")}, use_tensors});
  FileList shards;
  for (const fs::directory_entry& entry : fs::directory_iterator(tensors / "sharded"))
    shards.emplace_back(entry.path().filename().string(), read_bytes(entry.path()));
  kinds.push_back({"index", maker.each(shards, {"model.safetensors.index.json"}), use_tensors});
  const std::string config = to_json(run_config(0)).dump(2);
  kinds.push_back({"run config", {maker.bytes("run/config.json", config)}, use_config});

  FileKind more_data{"more data", {}, use_data};
  FileKind more_models{"more models", {}, use_model};
  for (const fs::path& path : more) {
    const Example example = maker.bytes("more.h5", read_bytes(path));
    const bool is_model = h5::File::open(example.file).exists("/weights");
    (is_model ? more_models : more_data).examples.push_back(example);
  }
  for (FileKind* kind : {&more_data, &more_models})
    if (!kind->examples.empty()) kinds.push_back(std::move(*kind));
  return kinds;
}

}  // namespace vit::test
