#include "preprocess/picture_names.h"

#include <gtest/gtest.h>

#include <utility>

namespace vit {
namespace {

TEST(PictureNames, KnowsPicturesInAnyCase) {
  for (const char* name : {"a.jpg", "a.JPEG", "b/c.Png", "x.tif", "x.webp", "x.ppm"}) {
    EXPECT_TRUE(has_image_extension(name)) << name;
    EXPECT_TRUE(is_picture_name(name)) << name;
    EXPECT_EQ(unreadable_format(name), "") << name;
  }
  for (const char* name : {"a.txt", "jpg", ".jpg", "a.jpg.part", ""}) {
    EXPECT_FALSE(has_image_extension(name)) << name;
    EXPECT_FALSE(is_picture_name(name)) << name;
    EXPECT_EQ(unreadable_format(name), "") << name;
  }
}

TEST(PictureNames, PicturesOfOtherFormatsAreNamed) {
  for (const auto& [name, format] : {std::pair{"a.gif", "GIF"},
                                     {"b.HEIC", "HEIC"},
                                     {"c.avif", "AVIF"},
                                     {"d.jp2", "JPEG 2000"},
                                     {"e.jxl", "JPEG XL"},
                                     {"f.svg", "SVG"},
                                     {"g.CR2", "camera raw"},
                                     {"h.tga", "TGA"},
                                     {"i.psd", "PSD"},
                                     {"j.ico", "ICO"}}) {
    EXPECT_TRUE(is_picture_name(name)) << name;
    EXPECT_FALSE(has_image_extension(name)) << name;
    EXPECT_EQ(unreadable_format(name), format) << name;
  }
}

}  // namespace
}  // namespace vit
