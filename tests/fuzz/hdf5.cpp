// HDF5 files through our reader.
#include <algorithm>
#include <string>

#include "datasets/dataset.h"
#include "infer/parity_reference.h"
#include "preprocess/image.h"
#include "tests/fuzz/input_file.h"
#include "tests/fuzz/target.h"
#include "vit/model/model_file.h"

namespace vit::fuzz {

void read_hdf5_model(Bytes bytes) {
  const InputFile input(bytes);
  tolerate([&] { open_model(input.path()); });
  load_model(input.path());
}

void read_hdf5_data(Bytes bytes) {
  constexpr int64_t kMostPictures = 64;
  const InputFile input(bytes);
  for (const int64_t budget : {int64_t{1} << 24, int64_t{0}}) {
    tolerate([&] {
      const auto data = open_dataset(input.path(), {.memory_budget = budget});
      for (const std::string& name : data->split_names()) {
        const auto split = data->split(name);
        for (int64_t i = 0; i < std::min(kMostPictures, split->size()); ++i) {
          const auto label = static_cast<std::size_t>(split->label(i));
          expect(label < data->class_names().size(), "a label has a class");
          split->path(i);
          tolerate([&] { split->image(i); });
        }
      }
    });
  }
}

void read_hdf5_parity(Bytes bytes) {
  const InputFile input(bytes);
  const ParityReference reference(input.path());
  for (int64_t i = 0; i < reference.pictures(); ++i) {
    reference.picture(i);
    reference.picture_name(i);
  }
  for (const char* stage : {"/pixels", "/patch_rows", "/tokens", "/blocks/0", "/features", "/logits"})
    tolerate([&] {
      if (reference.shape(stage)) reference.values(stage);
    });
}

}  // namespace vit::fuzz
