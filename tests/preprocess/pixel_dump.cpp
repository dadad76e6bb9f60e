// pixel_dump < LINES: for each line of JSON the answer "ok BYTES\n" and so many bytes, or "error TEXT\n". For
// tests/preprocess/check_pixels.py.
//   {"path": P, "resize": [WIDTH, HEIGHT], "filter": F}       RGB bytes of the picture file, resized
//   {"path": P, "source": S, "file": {...}, "side": N}        float32 [3, side, side] after the rule that the file of S
//                                                             (timm, open_clip, transformers) says; side 0: its own
//   {"path": P, "rule": NAME, "side": N}                      the same after a named rule
#include <cstdint>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "preprocess/image.h"
#include "preprocess/pipeline.h"
#include "preprocess/published.h"
#include "preprocess/resize_crop.h"
#include "tests/support/pixels.h"
#include "vit/core/error.h"

namespace {

using nlohmann::json;

void answer(const void* data, size_t bytes) {
  std::cout << "ok " << bytes << '\n';
  std::cout.write(static_cast<const char*>(data), static_cast<std::streamsize>(bytes)).flush();
}

vit::PreprocessConfig rule_of(const json& line) {
  const int64_t side = line.value("side", int64_t{0});
  if (line.contains("rule")) return vit::published_rule(line["rule"].get<std::string>(), side);
  return vit::published_preprocess(line["file"], "the file", side).config;
}

void run(const json& line) {
  const vit::Image image = vit::read_image(line["path"].get<std::string>());
  if (line.contains("resize")) {
    const vit::PreprocessConfig config{.decoding = vit::Decoding::pillow};
    const auto filter = vit::parse_word<vit::Interpolation>(line["filter"].get<std::string>(), "filter");
    const vit::Image out = vit::image_from_rgb(
        vit::resize(vit::source_picture(image, config).rgb, line["resize"][0], line["resize"][1], filter));
    const std::vector<uint8_t> pixels = vit::test::pixels_of(out);
    return answer(pixels.data(), pixels.size());
  }
  const vit::PreprocessConfig config = rule_of(line);
  const vit::Pipeline pipeline(config, config.size);  // one patch: its values are channel, row, column
  std::vector<float> rows(static_cast<size_t>(pipeline.patch_dim()));
  pipeline.prepare(image, {rows.data(), {1, pipeline.patch_dim()}});
  answer(rows.data(), rows.size() * sizeof(float));
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    try {
      run(json::parse(line));
    } catch (const vit::Error& error) {
      std::cout << "error " << error.what() << std::endl;
    }
  }
}
