// A TIFF in memory, seen through libtiff without its words on stderr.
#pragma once

#include <tiffio.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "preprocess/codec/byte_view.h"

namespace vit::codec {

class TiffFile {
 public:
  /// Opens the first directory. Throws Error (data).
  TiffFile(const ByteView& file, int64_t max_memory);
  TiffFile(const TiffFile&) = delete;
  TiffFile& operator=(const TiffFile&) = delete;

  TIFF* get() const { return tiff_.get(); }

  /// A field of one number; `otherwise` where the file does not have it and libtiff knows no default.
  template <class Number>
  Number field(uint32_t tag, Number otherwise) const {
    Number value{};
    return TIFFGetFieldDefaulted(get(), tag, &value) == 1 ? value : otherwise;
  }

  /// Throws Error (data) with the first thing that libtiff complained of, or else `otherwise`.
  [[noreturn]] void reject(const char* otherwise) const;

 private:
  struct Close {
    void operator()(TIFF* tiff) const { TIFFClose(tiff); }
  };
  struct Source {
    const ByteView& file;
    int64_t at = 0;
  };

  static tmsize_t read(thandle_t handle, void* to, tmsize_t bytes);
  static toff_t seek(thandle_t handle, toff_t offset, int whence);
  static int map(thandle_t handle, void** base, toff_t* size);
  static toff_t size(thandle_t handle);
  static int keep_error(TIFF* tiff, void* file, const char* module, const char* format, va_list arguments);

  Source source_;
  std::string error_;
  std::unique_ptr<TIFF, Close> tiff_;
};

}  // namespace vit::codec
