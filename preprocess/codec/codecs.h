// Picture files to RGB, one decoder a format. A decoder checks the file's size and claims before memory is taken, gives
// the first picture, and refuses what it would have to guess. None prints: messages of libraries become our errors.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "preprocess/codec/byte_view.h"
#include "preprocess/image.h"

namespace vit::codec {

/// Knows the format by content and decodes; the orientation is that of the file's EXIF block. Throws Error (data) that
/// says what else the file is, or what is wrong in it.
Image decode(std::span<const uint8_t> bytes, std::string_view name, const DecodeLimits& limits);

/// Width and height by the file's header alone, checked against the limits. Throws Error (data).
ImageSize stated_size(std::span<const uint8_t> bytes, std::string_view name, const DecodeLimits& limits);

// The picture as it is stored. Each throws Error (data).
Image decode_jpeg(const ByteView& file, const DecodeLimits& limits);
Image decode_png(const ByteView& file, const DecodeLimits& limits);
Image decode_bmp(const ByteView& file, const DecodeLimits& limits);
Image decode_webp(const ByteView& file, const DecodeLimits& limits);
Image decode_tiff(const ByteView& file, const DecodeLimits& limits);  // turned upright as its orientation says
Image decode_pnm(const ByteView& file, const DecodeLimits& limits);

// The sides as the header states them, checked against the limits. Each throws Error (data).
ImageSize size_of_jpeg(const ByteView& file, const DecodeLimits& limits);
ImageSize size_of_png(const ByteView& file, const DecodeLimits& limits);
ImageSize size_of_bmp(const ByteView& file, const DecodeLimits& limits);
ImageSize size_of_webp(const ByteView& file, const DecodeLimits& limits);
ImageSize size_of_tiff(const ByteView& file, const DecodeLimits& limits);  // before it is turned
ImageSize size_of_pnm(const ByteView& file, const DecodeLimits& limits);

// The EXIF block (a TIFF header and directory); empty when there is none. The file was decoded before.
std::span<const uint8_t> exif_of_jpeg(const ByteView& file);
std::span<const uint8_t> exif_of_png(const ByteView& file);
std::span<const uint8_t> exif_of_webp(const ByteView& file);

/// A black picture of width x height, rows without gaps; throws unless both are 1 .. kMaxSide and the product is within
/// the limit.
cv::Mat new_picture(const ByteView& file, int64_t width, int64_t height, const DecodeLimits& limits);
/// The same check alone; gives the sides.
ImageSize checked_size(const ByteView& file, int64_t width, int64_t height, const DecodeLimits& limits);
/// For Image::clipped: a plane of the size of `picture`, of any values.
cv::Mat new_clipped(const cv::Mat& picture);

}  // namespace vit::codec
