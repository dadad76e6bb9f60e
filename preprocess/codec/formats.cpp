#include <algorithm>
#include <opencv2/core.hpp>

#include "preprocess/codec/codecs.h"
#include "preprocess/codec/orientation.h"

namespace vit::codec {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kReadable = "JPEG, PNG, BMP, WebP, TIFF or PNM";

struct Format {
  std::string_view name;
  bool (*recognise)(const ByteView& file);
  ImageSize (*size)(const ByteView& file, const DecodeLimits& limits);
  Image (*decode)(const ByteView& file, const DecodeLimits& limits);
  std::span<const uint8_t> (*exif)(const ByteView& file);  // null: nothing that the decoder has not applied
};

bool is_pnm(const ByteView& file) {
  return file.size() >= 3 && file.u8(0) == 'P' && file.u8(1) >= '1' && file.u8(1) <= '6' &&
         " \t\r\n\v\f#"sv.find(static_cast<char>(file.u8(2))) != std::string_view::npos;
}

bool is_tiff(const ByteView& file) {
  return file.has(0, "II*\0"sv) || file.has(0, "MM\0*"sv) || file.has(0, "II+\0"sv) || file.has(0, "MM\0+"sv);
}

constexpr Format kFormats[] = {
    {"JPEG", [](const ByteView& f) { return f.has(0, "\xff\xd8\xff"sv); }, size_of_jpeg, decode_jpeg, exif_of_jpeg},
    {"PNG", [](const ByteView& f) { return f.has(0, "\x89PNG\r\n\x1a\n"sv); }, size_of_png, decode_png, exif_of_png},
    {"WebP", [](const ByteView& f) { return f.has(0, "RIFF"sv) && f.has(8, "WEBP"sv); }, size_of_webp, decode_webp,
     exif_of_webp},
    {"TIFF", is_tiff, size_of_tiff, decode_tiff, nullptr},
    {"BMP", [](const ByteView& f) { return f.has(0, "BM"sv); }, size_of_bmp, decode_bmp, nullptr},
    {"PNM", is_pnm, size_of_pnm, decode_pnm, nullptr},
};

struct Signature {
  int64_t at;
  std::string_view text;
  std::string_view name;
};

constexpr Signature kOthers[] = {
    {0, "GIF8"sv, "GIF"},
    {0, "\0\0\0\x0cjP  "sv, "JPEG 2000"},
    {0, "\xff\x4f\xff\x51"sv, "JPEG 2000"},
    {0, "\0\0\0\x0cJXL "sv, "JPEG XL"},
    {0, "\xff\x0a"sv, "JPEG XL"},
    {0, "II\xbc"sv, "JPEG XR"},
    {4, "ftypavi"sv, "AVIF"},
    {4, "ftyphe"sv, "HEIC"},
    {4, "ftypmif1"sv, "HEIF"},
    {4, "ftypmsf1"sv, "HEIF"},
    {4, "ftypcrx"sv, "camera raw"},
    {0, "FUJIFILMCCD-RAW"sv, "camera raw"},
    {0, "IIRO"sv, "camera raw"},
    {0, "IIU\0"sv, "camera raw"},
    {0, "8BPS"sv, "PSD"},
    {0, "gimp xcf"sv, "XCF"},
    {0, "\0\0\1\0"sv, "ICO"},
    {0, "\0\0\2\0"sv, "CUR or TGA"},
    {0, "icns"sv, "ICNS"},
    {0, "DDS "sv, "DDS"},
    {0, "qoif"sv, "QOI"},
    {0, "v/1\x01"sv, "OpenEXR"},
    {0, "#?RADIANCE"sv, "Radiance HDR"},
    {0, "%!PS"sv, "EPS"},
    {0, "%PDF"sv, "PDF"},
    {0, "SIMPLE  ="sv, "FITS"},
    {128, "DICM"sv, "DICOM"},
    {0, "P7\n"sv, "PAM"},
    {0, "PF\n"sv, "PFM"},
    {0, "Pf\n"sv, "PFM"},
    {0, "\x59\xa6\x6a\x95"sv, "Sun raster"},
    {0, "\x01\xda"sv, "SGI"},
};

/// The format of a picture that we do not read, by its content, or for formats without a mark by its name.
std::string_view other_format(const ByteView& file, std::string_view name) {
  for (const Signature& other : kOthers)
    if (file.has(other.at, other.text)) return other.name;
  const auto start = file.part(0, std::min<int64_t>(file.size(), 512));
  if (file.has(0, "<"sv) && std::string_view(reinterpret_cast<const char*>(start.data()), start.size()).find("<svg") !=
                                std::string_view::npos)
    return "SVG";
  return unreadable_format(name);
}

std::string_view guess(const ByteView& file) {
  if (file.has(0, "<"sv)) return "it looks like a web page or XML, perhaps a failed download";
  const auto start = file.part(0, std::min<int64_t>(file.size(), 64));
  const auto is_text = [](uint8_t c) { return (c >= ' ' && c != 0x7F) || c == '\n' || c == '\r' || c == '\t'; };
  if (std::all_of(start.begin(), start.end(), is_text)) return "it looks like text";
  return "is it damaged or another kind of file?";
}

const Format& format_of(std::span<const uint8_t> bytes, std::string_view name) {
  const ByteView file(bytes, name, "");
  for (const Format& format : kFormats)
    if (format.recognise(file)) return format;
  if (const std::string_view other = other_format(file, name); !other.empty())
    fail(ErrorKind::data, "[decode_image] ", name, ": format not read: needs ", kReadable, " content, is ", other);
  fail(ErrorKind::data, "[decode_image] ", name, ": not an image: needs ", kReadable, " content; ", guess(file));
}

}  // namespace

ImageSize checked_size(const ByteView& file, int64_t width, int64_t height, const DecodeLimits& limits) {
  if (width < 1 || height < 1) {
    file.reject("needs at least 1 x 1 pixels, says it has ", width, " x ", height, "; the file is damaged");
  }
  if (width > kMaxSide || height > kMaxSide || width * height > limits.max_pixels) {
    file.reject("too large: says it has ", width, " x ", height, " pixels, the limits are ", limits.max_pixels,
                " pixels and sides of ", kMaxSide);
  }
  return {width, height};
}

cv::Mat new_picture(const ByteView& file, int64_t width, int64_t height, const DecodeLimits& limits) {
  checked_size(file, width, height, limits);
  cv::Mat picture = new_pixels(width, height);
  picture = cv::Scalar::all(0);
  return picture;
}

cv::Mat new_clipped(const cv::Mat& picture) { return cv::Mat(picture.rows, picture.cols, CV_8UC1); }

ImageSize stated_size(std::span<const uint8_t> bytes, std::string_view name, const DecodeLimits& limits) {
  const Format& format = format_of(bytes, name);
  return format.size(ByteView(bytes, name, format.name), limits);
}

Image decode(std::span<const uint8_t> bytes, std::string_view name, const DecodeLimits& limits) {
  const Format& format = format_of(bytes, name);
  const ByteView file(bytes, name, format.name);
  Image image = format.decode(file, limits);
  if (format.exif != nullptr) image.orientation = exif_orientation(format.exif(file));
  return image;
}

}  // namespace vit::codec
