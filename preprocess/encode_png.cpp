#include "preprocess/encode_png.h"

#include <spng.h>

#include <cstdlib>
#include <memory>
#include <new>
#include <opencv2/core.hpp>

#include "preprocess/image.h"
#include "vit/core/error.h"

namespace vit {
namespace {

void check(int status) {
  if (status != SPNG_OK) fail(ErrorKind::internal, "[picture] cannot be encoded as PNG: ", spng_strerror(status));
}

}  // namespace

std::vector<uint8_t> encode_png(const Image& image) {
  constexpr int kSmallest = 9;
  struct Close {
    void operator()(spng_ctx* context) const { spng_ctx_free(context); }
  };
  check_pixels(image.rgb);
  const cv::Mat rgb = image.rgb.isContinuous() ? image.rgb : image.rgb.clone();
  const std::unique_ptr<spng_ctx, Close> encoder(spng_ctx_new(SPNG_CTX_ENCODER));
  if (!encoder) throw std::bad_alloc();
  spng_ihdr header{};
  header.width = static_cast<uint32_t>(rgb.cols);
  header.height = static_cast<uint32_t>(rgb.rows);
  header.bit_depth = 8;
  header.color_type = SPNG_COLOR_TYPE_TRUECOLOR;
  check(spng_set_ihdr(encoder.get(), &header));
  check(spng_set_option(encoder.get(), SPNG_ENCODE_TO_BUFFER, 1));
  check(spng_set_option(encoder.get(), SPNG_IMG_COMPRESSION_LEVEL, kSmallest));
  check(spng_encode_image(encoder.get(), rgb.data, rgb.total() * rgb.elemSize(), SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE));
  size_t size = 0;
  int status = 0;
  const std::unique_ptr<void, void (*)(void*)> png(spng_get_png_buffer(encoder.get(), &size, &status), std::free);
  check(status);
  const auto* bytes = static_cast<const uint8_t*>(png.get());
  return {bytes, bytes + size};
}

std::vector<uint8_t> encode_png(const cv::Mat& bgr) { return encode_png(image_from_bgr(bgr)); }

}  // namespace vit
