// Which file names are those of pictures: one table for every walk over a folder or an archive.
#pragma once

#include <filesystem>
#include <string_view>

namespace vit {

/// True for a name with the extension of a picture, of a kind that decode_image reads (jpg, png, bmp, tif, webp, ppm,
/// ...) or of one that it does not (gif, heic, avif, ...). Both are inputs: what cannot be read is named and counted.
bool is_picture_name(const std::filesystem::path& path);

/// The format behind an extension that decode_image does not read ("GIF", "HEIC", ...); empty for every other name.
std::string_view unreadable_format(const std::filesystem::path& path);

/// is_picture_name without the unreadable ones.
bool has_image_extension(const std::filesystem::path& path);

}  // namespace vit
