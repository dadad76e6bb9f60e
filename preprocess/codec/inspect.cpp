#include "preprocess/codec/inspect.h"

#include <algorithm>

namespace vit::codec {
namespace {

using namespace std::string_view_literals;

struct Format {
  std::string_view name;
  bool (*recognise)(const ByteView& file);
  FileInfo (*inspect)(const ByteView& file, const DecodeLimits& limits);
};

bool is_pnm(const ByteView& file) {
  return file.size() >= 3 && file.u8(0) == 'P' && file.u8(1) >= '1' && file.u8(1) <= '6' &&
         " \t\r\n#"sv.find(static_cast<char>(file.u8(2))) != std::string_view::npos;
}

constexpr Format kFormats[] = {
    {"JPEG", [](const ByteView& f) { return f.has(0, "\xff\xd8\xff"sv); }, inspect_jpeg},
    {"PNG", [](const ByteView& f) { return f.has(0, "\x89PNG\r\n\x1a\n"sv); }, inspect_png},
    {"WebP", [](const ByteView& f) { return f.has(0, "RIFF"sv) && f.has(8, "WEBP"sv); }, inspect_webp},
    {"TIFF", [](const ByteView& f) { return f.has(0, "II*\0"sv) || f.has(0, "MM\0*"sv); }, inspect_tiff},
    {"BMP", [](const ByteView& f) { return f.has(0, "BM"sv); }, inspect_bmp},
    {"PNM", is_pnm, inspect_pnm},
};

/// A guess at what else the file may be, for the error's last words.
std::string_view other_content(const ByteView& file) {
  if (file.has(0, "GIF8"sv)) return "it is a GIF";
  if (file.has(0, "\0\0\0\x0cjP  "sv)) return "it is JPEG 2000";
  if (file.has(4, "ftypavif"sv)) return "it is AVIF";
  if (file.has(4, "ftyphei"sv) || file.has(4, "ftypmif1"sv)) return "it is HEIC";
  if (file.has(0, "<"sv)) return "it looks like a web page or XML, perhaps a failed download";
  const auto start = file.part(0, std::min<int64_t>(file.size(), 64));
  const auto is_text = [](uint8_t c) { return (c >= ' ' && c != 0x7F) || c == '\n' || c == '\r' || c == '\t'; };
  if (std::all_of(start.begin(), start.end(), is_text)) return "it looks like text";
  return "is it damaged or another kind of file?";
}

}  // namespace

void check_size(const ByteView& file, const FileInfo& info, const DecodeLimits& limits) {
  if (info.width < 1 || info.height < 1) {
    file.reject("needs at least 1 x 1 pixels, says it has ", info.width, " x ", info.height, "; the file is damaged");
  }
  if (info.width > kMaxSide || info.height > kMaxSide || info.width * info.height > limits.max_pixels) {
    file.reject("too large: says it has ", info.width, " x ", info.height, " pixels, the limits are ",
                limits.max_pixels, " pixels and sides of ", kMaxSide);
  }
}

FileInfo inspect(std::span<const uint8_t> bytes, std::string_view name, const DecodeLimits& limits) {
  for (const Format& format : kFormats) {
    const ByteView file(bytes, name, format.name);
    if (!format.recognise(file)) continue;
    FileInfo info = format.inspect(file, limits);
    info.format = format.name;
    return info;
  }
  fail(ErrorKind::data, "[decode_image] ", name, ": not an image: needs JPEG, PNG, BMP, WebP, TIFF or PNM content; ",
       other_content(ByteView(bytes, name, "")));
}

}  // namespace vit::codec
