#include "vit/io/npz.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vit/core/error.h"
#include "vit/core/text.h"
#include "vit/io/file_bytes.h"
#include "vit/io/npy_header.h"
#include "vit/io/other_weights.h"
#include "vit/io/tensor_list.h"
#include "vit/io/zip_file.h"

namespace vit {
namespace {

struct Place {
  std::size_t index = 0;  // of the entry in the zip
  TensorNumber number = TensorNumber::other;
  bool fortran_order = false;
};

constexpr std::string_view kSuffix = ".npy";

/// `from` has the first dimension running fastest, `to` the last.
void turn_order(std::span<const float> from, std::span<const int64_t> shape, std::span<float> to) {
  std::vector<std::size_t> step(shape.size());  // in `from`
  std::size_t size = 1;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    step[d] = size;
    size *= static_cast<std::size_t>(shape[d]);
  }
  std::vector<int64_t> at(shape.size());
  std::size_t place = 0;
  for (float& value : to) {
    value = from[place];
    for (std::size_t d = shape.size(); d-- > 0;) {
      place += step[d];
      if (++at[d] < shape[d]) break;
      place -= step[d] * static_cast<std::size_t>(shape[d]);
      at[d] = 0;
    }
  }
}

class Npz : public TensorFile {
 public:
  explicit Npz(const std::filesystem::path& path) : file_(path), zip_(file_) {
    refuse_torch_zip(zip_.entries(), path);
    std::vector<ListedTensor<Place>> tensors;
    for (std::size_t i = 0; i < zip_.entries().size(); ++i) tensors.push_back(read_entry(i));
    list_ = TensorList<Place>(std::move(tensors), path);
  }

  const std::filesystem::path& path() const override { return file_.path(); }
  const std::vector<TensorEntry>& entries() const override { return list_.entries(); }
  const std::map<std::string, std::string>& metadata() const override { return metadata_; }

  void read(const TensorEntry& entry, std::span<float> values) const override {
    const Place& place = list_.place_of(entry, values);
    check_readable(entry, place.number, path());
    const std::unique_ptr<ZipStream> stream = zip_.open(place.index);
    const auto next = [&](std::span<uint8_t> out) { stream->read(out); };
    const std::string what = tensor_in(entry.name, path());
    read_npy_header(next, concat("[npz] ", what));
    std::vector<float> turned(place.fortran_order ? values.size() : 0);
    read_values(place.number, place.fortran_order ? std::span<float>(turned) : values, next, what);
    stream->finish();
    if (place.fortran_order) turn_order(turned, entry.shape, values);
  }

 private:
  ListedTensor<Place> read_entry(std::size_t index) const {
    const ZipEntry& entry = zip_.entries()[index];
    const std::string where = concat("[npz] ", tensor_in(entry.name, path()));
    if (!entry.name.ends_with(kSuffix) || entry.name.size() == kSuffix.size())
      fail(ErrorKind::data, where, " is no array: entries of .npz are called NAME.npy");
    const std::unique_ptr<ZipStream> stream = zip_.open(index);
    NpyHeader header = read_npy_header([&](std::span<uint8_t> out) { stream->read(out); }, where);
    const auto size = static_cast<uint64_t>(header.count) * static_cast<uint64_t>(header.element_bytes);
    const auto before = static_cast<uint64_t>(header.bytes);
    if (entry.size < before || entry.size - before != size)
      fail(ErrorKind::data, where, ": shape and type need ", size, " bytes behind the header of ", before,
           ", the entry has ", entry.size, " in all");
    const std::string name = entry.name.substr(0, entry.name.size() - kSuffix.size());
    const bool turned = header.fortran_order && header.shape.size() > 1 && header.count > 1;
    return {{name, std::move(header.shape), header.count, std::move(header.type)}, {index, header.number, turned}};
  }

  FileBytes file_;
  ZipFile zip_;
  TensorList<Place> list_;
  std::map<std::string, std::string> metadata_;  // the format has none
};

}  // namespace

std::unique_ptr<TensorFile> open_npz(const std::filesystem::path& path) { return std::make_unique<Npz>(path); }

}  // namespace vit
