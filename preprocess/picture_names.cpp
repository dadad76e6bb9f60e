#include "preprocess/picture_names.h"

#include <algorithm>
#include <string>

namespace vit {
namespace {

struct Extension {
  std::string_view text;
  std::string_view unreadable;  // the format's name, where decode_image does not read it
};

constexpr Extension kExtensions[] = {
    {".jpg", ""},           {".jpeg", ""},
    {".jpe", ""},           {".jfif", ""},
    {".jif", ""},           {".mpo", ""},
    {".png", ""},           {".apng", ""},
    {".bmp", ""},           {".dib", ""},
    {".webp", ""},          {".tif", ""},
    {".tiff", ""},          {".ppm", ""},
    {".pgm", ""},           {".pbm", ""},
    {".pnm", ""},           {".gif", "GIF"},
    {".heic", "HEIC"},      {".heif", "HEIF"},
    {".hif", "HEIF"},       {".avif", "AVIF"},
    {".avifs", "AVIF"},     {".jp2", "JPEG 2000"},
    {".j2k", "JPEG 2000"},  {".j2c", "JPEG 2000"},
    {".jpc", "JPEG 2000"},  {".jpf", "JPEG 2000"},
    {".jpx", "JPEG 2000"},  {".jph", "JPEG 2000"},
    {".jxl", "JPEG XL"},    {".jxr", "JPEG XR"},
    {".wdp", "JPEG XR"},    {".hdp", "JPEG XR"},
    {".svg", "SVG"},        {".svgz", "SVG"},
    {".eps", "EPS"},        {".wmf", "WMF"},
    {".emf", "EMF"},        {".ico", "ICO"},
    {".cur", "CUR"},        {".icns", "ICNS"},
    {".psd", "PSD"},        {".psb", "PSD"},
    {".xcf", "XCF"},        {".tga", "TGA"},
    {".pcx", "PCX"},        {".dds", "DDS"},
    {".exr", "OpenEXR"},    {".hdr", "Radiance HDR"},
    {".pfm", "PFM"},        {".pam", "PAM"},
    {".xbm", "XBM"},        {".xpm", "XPM"},
    {".ras", "Sun raster"}, {".sgi", "SGI"},
    {".qoi", "QOI"},        {".fits", "FITS"},
    {".fit", "FITS"},       {".dcm", "DICOM"},
    {".dng", "camera raw"}, {".cr2", "camera raw"},
    {".cr3", "camera raw"}, {".crw", "camera raw"},
    {".nef", "camera raw"}, {".nrw", "camera raw"},
    {".arw", "camera raw"}, {".sr2", "camera raw"},
    {".orf", "camera raw"}, {".rw2", "camera raw"},
    {".raf", "camera raw"}, {".pef", "camera raw"},
    {".srw", "camera raw"},
};

const Extension* find(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  const auto* found = std::find_if(std::begin(kExtensions), std::end(kExtensions),
                                   [&](const Extension& known) { return known.text == extension; });
  return found == std::end(kExtensions) ? nullptr : found;
}

}  // namespace

bool is_picture_name(const std::filesystem::path& path) { return find(path) != nullptr; }

std::string_view unreadable_format(const std::filesystem::path& path) {
  const Extension* found = find(path);
  return found == nullptr ? std::string_view() : found->unreadable;
}

bool has_image_extension(const std::filesystem::path& path) {
  const Extension* found = find(path);
  return found != nullptr && found->unreadable.empty();
}

}  // namespace vit
