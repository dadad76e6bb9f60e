#include <webp/decode.h>
#include <webp/demux.h>

#include <algorithm>
#include <memory>
#include <string_view>
#include <vector>

#include "preprocess/codec/codecs.h"

namespace vit::codec {
namespace {

using namespace std::string_view_literals;

struct Close {
  void operator()(WebPDemuxer* demuxer) const { WebPDemuxDelete(demuxer); }
};

std::unique_ptr<WebPDemuxer, Close> open(const ByteView& file) {
  const WebPData data{file.data(), static_cast<size_t>(file.size())};
  return std::unique_ptr<WebPDemuxer, Close>(WebPDemux(&data));
}

}  // namespace

/// Read by hand: the limits hold before the library sees the file.
ImageSize size_of_webp(const ByteView& file, const DecodeLimits& limits) {
  constexpr int64_t kChunk = 12, kBody = 20;  // first chunk behind "RIFF", size, "WEBP"; its data
  if (file.has(kChunk, "VP8X"sv))
    return checked_size(file, file.u24_le(kBody + 4) + 1, file.u24_le(kBody + 7) + 1, limits);
  if (file.has(kChunk, "VP8L"sv)) {
    const int64_t sides = file.u32_le(kBody + 1);  // 14 bits each
    return checked_size(file, (sides & 0x3FFF) + 1, (sides >> 14 & 0x3FFF) + 1, limits);
  }
  if (file.has(kChunk, "VP8 "sv))  // behind the frame tag and the start code; 2 bits are a scale
    return checked_size(file, file.u16_le(kBody + 6) & 0x3FFF, file.u16_le(kBody + 8) & 0x3FFF, limits);
  file.reject("first chunk is none of VP8, VP8L and VP8X; the file is damaged");
}

/// Of an animation its first frame, on a black canvas where it does not fill it.
Image decode_webp(const ByteView& file, const DecodeLimits& limits) {
  size_of_webp(file, limits);
  file.require(0, 8 + file.u32_le(4));
  const auto demuxer = open(file);
  if (!demuxer) file.reject("its chunks do not make a picture; the file is damaged or cut");
  const int64_t width = WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_WIDTH);
  const int64_t height = WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_HEIGHT);
  cv::Mat picture = new_picture(file, width, height, limits);
  WebPIterator frame{};
  const int found = WebPDemuxGetFrame(demuxer.get(), 1, &frame);
  const std::unique_ptr<WebPIterator, void (*)(WebPIterator*)> release(&frame, WebPDemuxReleaseIterator);
  if (found == 0 || frame.complete == 0) file.reject("no complete picture; the file is damaged or cut");
  if (frame.x_offset < 0 || frame.y_offset < 0 || frame.width < 1 || frame.height < 1 ||
      frame.x_offset + int64_t{frame.width} > width || frame.y_offset + int64_t{frame.height} > height)
    file.reject("first frame lies outside the canvas of ", width, " x ", height, "; the file is damaged");
  uint8_t* first = picture.ptr(frame.y_offset, frame.x_offset);
  if (WebPDecodeRGBInto(frame.fragment.bytes, frame.fragment.size, first, static_cast<size_t>(picture.dataend - first),
                        static_cast<int>(picture.step)) == nullptr)
    file.reject("pixel data of ", width, " x ", height, " cannot be decoded; the file is damaged");
  return image_from_rgb(picture);
}

std::span<const uint8_t> exif_of_webp(const ByteView& file) {
  const auto demuxer = open(file);
  if (!demuxer) return {};
  WebPChunkIterator chunk{};
  const int found = WebPDemuxGetChunk(demuxer.get(), "EXIF", 1, &chunk);
  const std::unique_ptr<WebPChunkIterator, void (*)(WebPChunkIterator*)> release(&chunk, WebPDemuxReleaseChunkIterator);
  if (found == 0) return {};
  auto exif = file.part(chunk.chunk.bytes - file.data(), static_cast<int64_t>(chunk.chunk.size));
  constexpr auto kMark = "Exif\0\0"sv;  // some writers put JPEG's mark before the block
  if (exif.size() >= kMark.size() && std::memcmp(exif.data(), kMark.data(), kMark.size()) == 0)
    exif = exif.subspan(kMark.size());
  return exif;
}

}  // namespace vit::codec
