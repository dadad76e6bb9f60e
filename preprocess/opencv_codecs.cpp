#include "preprocess/opencv_codecs.h"

#include <dlfcn.h>

#include <opencv2/imgcodecs.hpp>

#include "vit/core/error.h"

namespace vit {
namespace {

// The library's own functions, by the names that the compiler gives them.
constexpr const char* kDecode = "_ZN2cv8imdecodeERKNS_11_InputArrayEi";
constexpr const char* kEncode =
    "_ZN2cv8imencodeERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEERKNS_11_InputArrayERSt6vectorIhSaIhEERKSB_"
    "IiSaIiEE";
using Decode = cv::Mat (*)(cv::InputArray, int);
using Encode = bool (*)(const cv::String&, cv::InputArray, std::vector<uchar>&, const std::vector<int>&);

template <class Function>
Function load(const char* name) {
  static void* const library = dlopen(VIT_OPENCV_IMGCODECS_NAME, RTLD_NOW | RTLD_LOCAL);
  void* const function = library == nullptr ? nullptr : dlsym(library, name);
  if (function == nullptr)
    fail(ErrorKind::io, "[picture files] cannot load ", VIT_OPENCV_IMGCODECS_NAME, ": ", dlerror(),
         "; is OpenCV's imgcodecs installed?");
  return reinterpret_cast<Function>(function);
}

}  // namespace

cv::Mat decode_bgr(std::span<const unsigned char> bytes) {
  static const auto decode = load<Decode>(kDecode);
  // It reads only; its argument is not const-correct.
  const cv::Mat encoded(1, static_cast<int>(bytes.size()), CV_8U, const_cast<unsigned char*>(bytes.data()));
  try {
    return decode(encoded, cv::IMREAD_COLOR | cv::IMREAD_IGNORE_ORIENTATION);
  } catch (const cv::Exception&) {
    return {};
  }
}

std::vector<unsigned char> encode_png(const cv::Mat& bgr) {
  static const auto encode = load<Encode>(kEncode);
  std::vector<unsigned char> bytes;
  bool encoded = false;
  try {
    encoded = encode(".png", bgr, bytes, {cv::IMWRITE_PNG_COMPRESSION, 9});
  } catch (const cv::Exception& error) {
    fail(ErrorKind::internal, "[picture] cannot be encoded as PNG: ", error.err);
  }
  if (!encoded) fail(ErrorKind::internal, "[picture] cannot be encoded as PNG");
  return bytes;
}

}  // namespace vit
