#include "preprocess/codec/tiff_file.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace vit::codec {

tmsize_t TiffFile::read(thandle_t handle, void* to, tmsize_t bytes) {
  auto& source = *static_cast<Source*>(handle);
  const int64_t left = std::max<int64_t>(0, source.file.size() - source.at);
  const int64_t count = std::clamp<int64_t>(bytes, 0, left);
  if (count > 0) std::memcpy(to, source.file.data() + source.at, static_cast<size_t>(count));
  source.at += count;
  return count;
}

toff_t TiffFile::seek(thandle_t handle, toff_t offset, int whence) {
  auto& source = *static_cast<Source*>(handle);
  const int64_t from = whence == SEEK_CUR ? source.at : whence == SEEK_END ? source.file.size() : 0;
  // Offsets beyond what a signed number holds are beyond the end in any case.
  const auto by = static_cast<int64_t>(std::min<toff_t>(offset, toff_t{1} << 62));
  source.at = from + by;
  return static_cast<toff_t>(source.at);
}

int TiffFile::map(thandle_t handle, void** base, toff_t* size) {
  const ByteView& file = static_cast<Source*>(handle)->file;
  *base = const_cast<uint8_t*>(file.data());  // it reads only
  *size = static_cast<toff_t>(file.size());
  return 1;
}

toff_t TiffFile::size(thandle_t handle) { return static_cast<toff_t>(static_cast<Source*>(handle)->file.size()); }

int TiffFile::keep_error(TIFF*, void* file, const char*, const char* format, va_list arguments) {
  std::string& error = static_cast<TiffFile*>(file)->error_;
  if (!error.empty()) return 1;
  char text[256];
  std::vsnprintf(text, sizeof(text), format, arguments);
  // Texts of the file may stand in it.
  for (const char* c = text; *c != '\0'; ++c) error += *c >= ' ' && *c < 0x7F ? *c : '?';
  return 1;
}

TiffFile::TiffFile(const ByteView& file, int64_t max_memory) : source_{file} {
  struct Free {
    void operator()(TIFFOpenOptions* options) const { TIFFOpenOptionsFree(options); }
  };
  const std::unique_ptr<TIFFOpenOptions, Free> options(TIFFOpenOptionsAlloc());
  if (!options) throw std::bad_alloc();
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), max_memory);
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), keep_error, this);
  TIFFOpenOptionsSetWarningHandlerExtR(
      options.get(), [](TIFF*, void*, const char*, const char*, va_list) { return 1; }, nullptr);
  const auto write = [](thandle_t, void*, tmsize_t) -> tmsize_t { return 0; };
  const auto close = [](thandle_t) { return 0; };
  const auto unmap = [](thandle_t, void*, toff_t) {};
  tiff_.reset(TIFFClientOpenExt("", "r", &source_, read, write, seek, close, size, map, unmap, options.get()));
  if (!tiff_) reject("cannot be opened");
}

void TiffFile::reject(const char* otherwise) const {
  source_.file.reject(error_.empty() ? otherwise : error_.c_str(), "; the file is damaged, cut or of an unusual kind");
}

}  // namespace vit::codec
