#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "preprocess/codec/codecs.h"
#include "preprocess/codec/orientation.h"
#include "preprocess/codec/tiff_file.h"
#include "preprocess/codec/tiff_samples.h"

namespace vit::codec {
namespace {

using namespace std::string_view_literals;

constexpr int64_t kMaxTilePixels = int64_t{1} << 24, kMaxSamples = 64;

/// The first directory, as far as it says where the pixels are.
struct Layout {
  int64_t width = 0, height = 0;
  int64_t piece_width = 0, piece_height = 0;  // of a strip or a tile
  bool tiled = false, planes = false;         // planes: one piece after the other for each sample
  int compression = 0, photometric = 0;
};

Layout read_layout(const ByteView& file, const TiffFile& tiff, const DecodeLimits& limits) {
  Layout layout;
  layout.width = tiff.field<uint32_t>(TIFFTAG_IMAGEWIDTH, 0);
  layout.height = tiff.field<uint32_t>(TIFFTAG_IMAGELENGTH, 0);
  checked_size(file, layout.width, layout.height, limits);
  layout.compression = tiff.field<uint16_t>(TIFFTAG_COMPRESSION, COMPRESSION_NONE);
  // Old JPEG is always YCbCr; a file that does not say what its bits mean is a fax.
  layout.photometric = layout.compression == COMPRESSION_OJPEG
                           ? PHOTOMETRIC_YCBCR
                           : tiff.field<uint16_t>(TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISWHITE);
  layout.planes = tiff.field<uint16_t>(TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG) == PLANARCONFIG_SEPARATE;
  layout.tiled = TIFFIsTiled(tiff.get()) != 0;
  layout.piece_width = layout.tiled ? tiff.field<uint32_t>(TIFFTAG_TILEWIDTH, 0) : layout.width;
  layout.piece_height = tiff.field<uint32_t>(layout.tiled ? TIFFTAG_TILELENGTH : TIFFTAG_ROWSPERSTRIP, UINT32_MAX);
  if (!layout.tiled) layout.piece_height = std::min(layout.piece_height, layout.height);
  if (layout.piece_width < 1 || layout.piece_height < 1) file.reject("pieces of no pixels; the file is damaged");
  if (layout.tiled &&
      (layout.piece_width > kMaxTilePixels || layout.piece_height > kMaxTilePixels / layout.piece_width))
    file.reject("tiles of more than ", kMaxTilePixels, " pixels");
  return layout;
}

void check_kind(const ByteView& file, const TiffFile& tiff, const Layout& layout) {
  const void* data = nullptr;
  if (file.has(8, "CR"sv) || TIFFGetField(tiff.get(), TIFFTAG_DNGVERSION, &data) == 1)
    file.reject("a camera's raw file, whose first picture may be a preview; export it first");
  const int format = tiff.field<uint16_t>(TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_UINT);
  if (format != SAMPLEFORMAT_UINT && format != SAMPLEFORMAT_VOID)
    file.reject("needs unsigned samples, has ", format == SAMPLEFORMAT_INT      ? "signed ones"
                                                : format == SAMPLEFORMAT_IEEEFP ? "floating-point ones, whose range it "
                                                                                  "does not say"
                                                                                : "complex ones");
  if (TIFFIsCODECConfigured(static_cast<uint16_t>(layout.compression)) == 0)
    file.reject("compression ", layout.compression, " is not read");
}

std::vector<uint8_t> read_palette(const TiffFile& tiff, int64_t bits) {
  uint16_t* planes[3] = {};
  if (TIFFGetField(tiff.get(), TIFFTAG_COLORMAP, &planes[0], &planes[1], &planes[2]) != 1) tiff.reject("no palette");
  std::vector<uint8_t> colors;
  for (int64_t i = 0; i < int64_t{1} << bits; ++i)
    for (const uint16_t* plane : planes) colors.push_back(static_cast<uint8_t>(plane[i] >> 8));
  return colors;
}

TiffColor color_of(const ByteView& file, int photometric) {
  switch (photometric) {
    case PHOTOMETRIC_MINISWHITE:
      return TiffColor::inverted_gray;
    case PHOTOMETRIC_MINISBLACK:
      return TiffColor::gray;
    case PHOTOMETRIC_PALETTE:
      return TiffColor::palette;
    case PHOTOMETRIC_RGB:
      return TiffColor::rgb;
    case PHOTOMETRIC_YCBCR:
      return TiffColor::ycbcr;
    case PHOTOMETRIC_SEPARATED:
      return TiffColor::cmyk;
    case PHOTOMETRIC_CIELAB:
    case PHOTOMETRIC_ICCLAB:
    case PHOTOMETRIC_ITULAB:
      file.reject("needs gray, a palette, RGB, CMYK or YCbCr, has Lab");
    case PHOTOMETRIC_CFA:
      file.reject("a camera's raw file; export it first");
    default:
      file.reject("needs gray, a palette, RGB, CMYK or YCbCr, has photometric kind ", photometric);
  }
}

TiffSamples read_samples(const ByteView& file, const TiffFile& tiff, const Layout& layout) {
  TiffSamples samples;
  samples.bits = tiff.field<uint16_t>(TIFFTAG_BITSPERSAMPLE, 1);
  samples.a_pixel = tiff.field<uint16_t>(TIFFTAG_SAMPLESPERPIXEL, 1);
  const int64_t bits = samples.bits;
  if (bits != 1 && bits != 2 && bits != 4 && bits != 8 && bits != 12 && bits != 16)
    file.reject("needs samples of 1, 2, 4, 8, 12 or 16 bits, has ", bits);
  samples.color = color_of(file, layout.photometric);
  if (samples.color == TiffColor::ycbcr && layout.compression == COMPRESSION_JPEG) samples.color = TiffColor::rgb;
  if (samples.a_pixel < samples.color_samples() || samples.a_pixel > kMaxSamples)
    file.reject("needs ", samples.color_samples(), " to ", kMaxSamples, " samples a pixel, has ", samples.a_pixel);
  if (samples.color == TiffColor::palette) {
    if (bits > 8) file.reject("needs a palette of at most 8 bits, has ", bits);
    samples.colors = read_palette(tiff, bits);
  }
  uint16_t extras = 0;
  const uint16_t* kinds = nullptr;
  samples.multiplied = TIFFGetFieldDefaulted(tiff.get(), TIFFTAG_EXTRASAMPLES, &extras, &kinds) == 1 && extras > 0 &&
                       kinds[0] == EXTRASAMPLE_ASSOCALPHA && samples.a_pixel > samples.color_samples() &&
                       samples.color != TiffColor::palette && samples.color != TiffColor::cmyk;
  return samples;
}

/// Pieces through libtiff's decompression, their samples through ours.
class PieceReader {
 public:
  PieceReader(const ByteView& file, const TiffFile& tiff, const Layout& layout, const TiffSamples& samples,
              const DecodeLimits& limits)
      : tiff_(tiff), layout_(layout), samples_(samples) {
    constexpr int64_t kMaxPixelBytes = 8;
    const uint64_t bytes = layout.tiled ? TIFFTileSize64(tiff.get()) : TIFFStripSize64(tiff.get());
    row_bytes_ = static_cast<int64_t>(layout.tiled ? TIFFTileRowSize64(tiff.get()) : TIFFScanlineSize64(tiff.get()));
    const int64_t step = layout.planes ? 1 : samples.a_pixel;
    if (bytes == 0 || bytes > static_cast<uint64_t>(std::max(limits.max_pixels, kMaxTilePixels) * kMaxPixelBytes))
      file.reject("too large: pieces of ", bytes, " bytes");
    if (row_bytes_ < (layout.piece_width * step * samples.bits + 7) / 8 ||
        static_cast<uint64_t>(row_bytes_ * layout.piece_height) > bytes)
      file.reject("rows of ", row_bytes_, " bytes are too short for ", layout.piece_width,
                  " pixels; the file is damaged");
    encoded_.resize(bytes + 1);  // a 12-bit sample is read with the byte behind it
    row_.resize(static_cast<size_t>(layout.piece_width * samples.used()));
    if (layout.planes) piece_.resize(static_cast<size_t>(layout.piece_width * layout.piece_height * samples.used()));
  }

  /// The piece whose first pixel is (x, y).
  void read_into(Image& image, int64_t x, int64_t y) {
    const int64_t columns = std::min(layout_.piece_width, layout_.width - x);
    const int64_t rows = std::min(layout_.piece_height, layout_.height - y);
    const int64_t used = samples_.used();
    for (int64_t plane = 0; layout_.planes && plane < used; ++plane) {
      read(x, y, plane);
      for (int64_t row = 0; row < rows; ++row)
        read_tiff_row(samples_, encoded_.data() + row * row_bytes_, columns, 1, 1,
                      piece_.data() + row * columns * used + plane, used);
    }
    if (!layout_.planes) read(x, y, 0);
    for (int64_t row = 0; row < rows && samples_.deep_gray(); ++row)  // of planes it is the only one that was read
      clip_tiff_row(samples_, encoded_.data() + row * row_bytes_, columns, layout_.planes ? 1 : samples_.a_pixel,
                    image.clipped.ptr(static_cast<int>(y + row), static_cast<int>(x)));
    for (int64_t row = 0; row < rows; ++row) {
      const uint8_t* from = row_.data();
      if (layout_.planes) {
        from = piece_.data() + row * columns * used;
      } else if (samples_.bits == 8 && samples_.a_pixel == used) {
        from = encoded_.data() + row * row_bytes_;  // it is what read_tiff_row would make
      } else {
        read_tiff_row(samples_, encoded_.data() + row * row_bytes_, columns, samples_.a_pixel, used, row_.data(), used);
      }
      tiff_row_to_rgb(samples_, from, columns, image.rgb.ptr(static_cast<int>(y + row), static_cast<int>(x)));
    }
  }

 private:
  void read(int64_t x, int64_t y, int64_t plane) {
    const auto column = static_cast<uint32_t>(x), row = static_cast<uint32_t>(y);
    const auto sample = static_cast<uint16_t>(plane);
    const tmsize_t got =
        layout_.tiled
            ? TIFFReadEncodedTile(tiff_.get(), TIFFComputeTile(tiff_.get(), column, row, 0, sample), encoded_.data(),
                                  -1)
            : TIFFReadEncodedStrip(tiff_.get(), TIFFComputeStrip(tiff_.get(), row, sample), encoded_.data(), -1);
    if (got < 0) tiff_.reject("pixel data cannot be decoded");
  }

  const TiffFile& tiff_;
  const Layout& layout_;
  const TiffSamples& samples_;
  int64_t row_bytes_ = 0;
  std::vector<uint8_t> encoded_, row_, piece_;
};

/// True for YCbCr that neither the JPEG decoder turns to RGB nor lies in whole pixels.
bool wants_ycbcr_reader(const TiffFile& tiff, const Layout& layout) {
  if (layout.photometric != PHOTOMETRIC_YCBCR) return false;
  if (layout.compression == COMPRESSION_JPEG) return layout.planes;
  uint16_t across = 2, down = 2;
  TIFFGetFieldDefaulted(tiff.get(), TIFFTAG_YCBCRSUBSAMPLING, &across, &down);
  return layout.compression != COMPRESSION_NONE || across != 1 || down != 1;
}

/// Through libtiff's own conversion.
void read_ycbcr(const TiffFile& tiff, const Layout& layout, cv::Mat& picture) {
  TIFFRGBAImage reader{};
  char why[1024] = "";
  if (TIFFRGBAImageOK(tiff.get(), why) == 0 || TIFFRGBAImageBegin(&reader, tiff.get(), 1, why) == 0) tiff.reject(why);
  const std::unique_ptr<TIFFRGBAImage, void (*)(TIFFRGBAImage*)> end(&reader, TIFFRGBAImageEnd);
  reader.orientation = reader.req_orientation = ORIENTATION_TOPLEFT;
  std::vector<uint32_t> pixels(static_cast<size_t>(layout.width * layout.piece_height));
  for (int64_t y = 0; y < layout.height; y += layout.piece_height) {
    const int64_t rows = std::min(layout.piece_height, layout.height - y);
    reader.row_offset = static_cast<int>(y);
    if (TIFFRGBAImageGet(&reader, pixels.data(), static_cast<uint32_t>(layout.width), static_cast<uint32_t>(rows)) == 0)
      tiff.reject("pixel data cannot be decoded");
    uint8_t* rgb = picture.ptr(static_cast<int>(y));
    for (int64_t i = 0; i < layout.width * rows; ++i, rgb += 3) {
      const uint32_t pixel = pixels[static_cast<size_t>(i)];
      rgb[0] = static_cast<uint8_t>(TIFFGetR(pixel));
      rgb[1] = static_cast<uint8_t>(TIFFGetG(pixel));
      rgb[2] = static_cast<uint8_t>(TIFFGetB(pixel));
    }
  }
}

}  // namespace

/// Read by hand from the first directory: the limits hold before the library sees the file.
ImageSize size_of_tiff(const ByteView& file, const DecodeLimits& limits) {
  const bool little = file.u8(0) == 'I', big_file = file.has(2, "+"sv) || file.has(3, "+"sv);
  const auto u16 = [&](int64_t at) { return little ? file.u16_le(at) : file.u16_be(at); };
  const auto u32 = [&](int64_t at) { return little ? file.u32_le(at) : file.u32_be(at); };
  // Numbers of 8 bytes of which only the lower 4 can lie inside a file that we read.
  const auto offset = [&](int64_t at) { return u32(big_file && !little ? at + 4 : at); };
  const int64_t directory = offset(big_file ? 8 : 4), entry_bytes = big_file ? 20 : 12;
  const int64_t entries = directory + (big_file ? 8 : 2);
  const int64_t stated = big_file ? offset(directory) : u16(directory);
  int64_t sides[2] = {1, 1};
  bool had[2] = {};  // of fields that are there twice the first counts, as for libtiff
  for (int64_t i = 0, n = std::min(stated, (file.size() - entries) / entry_bytes); i < n; ++i) {
    const int64_t entry = entries + i * entry_bytes, tag = u16(entry), value = entry + (big_file ? 12 : 8);
    if (tag != TIFFTAG_IMAGEWIDTH && tag != TIFFTAG_IMAGELENGTH) continue;
    const auto side = static_cast<size_t>(tag - TIFFTAG_IMAGEWIDTH);
    if (!std::exchange(had[side], true)) sides[side] = u16(entry + 2) == TIFF_SHORT ? u16(value) : u32(value);
  }
  return checked_size(file, sides[0], sides[1], limits);
}

Image decode_tiff(const ByteView& file, const DecodeLimits& limits) {
  constexpr int64_t kMaxPixelBytes = 8;
  size_of_tiff(file, limits);
  const TiffFile tiff(file, limits.max_pixels * kMaxPixelBytes + (kMaxTilePixels * kMaxPixelBytes));
  const Layout layout = read_layout(file, tiff, limits);
  check_kind(file, tiff, layout);
  const auto orientation = tiff.field<uint16_t>(TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT);
  if (wants_ycbcr_reader(tiff, layout)) {
    cv::Mat picture = new_picture(file, layout.width, layout.height, limits);
    read_ycbcr(tiff, layout, picture);
    return image_from_rgb(turned_upright(picture, orientation));
  }
  if (layout.photometric == PHOTOMETRIC_YCBCR && layout.compression == COMPRESSION_JPEG)
    TIFFSetField(tiff.get(), TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
  const TiffSamples samples = read_samples(file, tiff, layout);
  PieceReader pieces(file, tiff, layout, samples, limits);
  Image image = image_from_rgb(new_picture(file, layout.width, layout.height, limits));
  if (samples.deep_gray()) image.clipped = new_clipped(image.rgb);
  for (int64_t y = 0; y < layout.height; y += layout.piece_height)
    for (int64_t x = 0; x < layout.width; x += layout.piece_width) pieces.read_into(image, x, y);
  image.orientation = orientation;
  return upright(image);
}

}  // namespace vit::codec
