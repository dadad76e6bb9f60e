// One function a reader of foreign bytes. A fuzzer calls it with what it makes up (scripts/fuzz), and ctest with each
// file of tests/fuzz/corpus.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "vit/core/error.h"

namespace vit::fuzz {

using Bytes = std::span<const uint8_t>;

/// Reads all that the bytes hold, as the program would. Throws Error for what is wrong with them; anything else that it
/// throws is a finding.
using Reader = void (*)(Bytes bytes);

void read_safetensors(Bytes bytes);
void read_tensor_index(Bytes bytes);
void read_npz(Bytes bytes);
void read_idx(Bytes bytes);
void read_cifar(Bytes bytes);
void read_archive(Bytes bytes);
void read_jpeg(Bytes bytes);
void read_png(Bytes bytes);
void read_webp(Bytes bytes);
void read_tiff(Bytes bytes);
void read_bmp(Bytes bytes);
void read_pnm(Bytes bytes);
void read_model_json(Bytes bytes);
void read_hdf5_model(Bytes bytes);
void read_hdf5_data(Bytes bytes);
void read_hdf5_parity(Bytes bytes);
void read_import(Bytes bytes);
void read_labels(Bytes bytes);

struct Target {
  std::string_view name;
  Reader read;
};
inline constexpr Target kTargets[] = {
    {"safetensors", read_safetensors},
    {"tensor_index", read_tensor_index},
    {"npz", read_npz},
    {"idx", read_idx},
    {"cifar", read_cifar},
    {"archive", read_archive},
    {"jpeg", read_jpeg},
    {"png", read_png},
    {"webp", read_webp},
    {"tiff", read_tiff},
    {"bmp", read_bmp},
    {"pnm", read_pnm},
    {"model_json", read_model_json},
    {"hdf5_model", read_hdf5_model},
    {"hdf5_data", read_hdf5_data},
    {"hdf5_parity", read_hdf5_parity},
    {"import", read_import},
    {"labels", read_labels},
};

/// Null when there is none.
const Target* find_target(std::string_view name);

/// Throws Error (internal), which is a finding.
void expect(bool holds, std::string_view what);

/// Calls the function; an Error that blames the bytes is well.
template <class Function>
void tolerate(const Function& function) {
  try {
    function();
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::internal) throw;
    expect(std::string_view(error.what()).find('\n') == std::string_view::npos, "an error has one line");
  }
}

inline std::string_view text_of(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

}  // namespace vit::fuzz
