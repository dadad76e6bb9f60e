#include "infer/labels.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/support/caught_error.h"
#include "tests/support/temp_dir.h"

namespace vit {
namespace {

using nlohmann::json;
using test::error_of;
using test::holds;
using Names = std::vector<std::string>;

const Names kAnimals{"cat", "dog", "eel, moray"};

class LabelFile : public testing::Test {
 protected:
  std::string write(const std::string& text, const char* name = "labels.txt") const {
    std::ofstream(dir_ / name, std::ios::binary) << text;
    return (dir_ / name).string();
  }
  Names read(const std::string& text, int64_t classes = 3, const char* name = "labels.txt") const {
    return labels_of_file(write(text, name), classes).names;
  }
  std::string error(const std::string& text, int64_t classes = 3) const {
    const std::string path = write(text);
    return error_of(ErrorKind::data, [&] { labels_of_file(path, classes); });
  }

  test::TempDir dir_;
};

// ---- --labels ----

TEST_F(LabelFile, OneNameALine) {
  EXPECT_EQ(read("cat\ndog\neel, moray\n"), kAnimals);
  EXPECT_EQ(read("\xEF\xBB\xBF"
                 "cat\r\ndog\r\neel, moray\r\n\r\n"),
            kAnimals);
  EXPECT_EQ(read("Straße\n猫\n3\n"), (Names{"Straße", "猫", "3"}));
}

TEST_F(LabelFile, CsvOfIndexAndNameInAnyOrder) {
  EXPECT_EQ(read("index,name\n2,\"eel, moray\"\n0,cat\n1,dog\n"), kAnimals);
  EXPECT_EQ(read("0,cat\n1,dog\n2,\"eel, moray\"\n"), kAnimals);
  EXPECT_EQ(read("0,a \"\"b\n1,\"a \"\"c\"\"\"\n", 2), (Names{"a \"\"b", "a \"c\""}));
}

TEST_F(LabelFile, JsonInItsUsualForms) {
  for (const char* text :
       {R"(["cat", "dog", "eel, moray"])", R"({"0": "cat", "2": "eel, moray", "1": "dog"})",
        R"({"cat": 0, "eel, moray": 2, "dog": 1})", R"({"id2label": {"0": "cat", "1": "dog", "2": "eel, moray"}})",
        R"({"0": ["n01", "cat"], "1": ["n02", "dog"], "2": ["n03", "eel, moray"]})"})
    EXPECT_EQ(read(text), kAnimals) << text;
  EXPECT_EQ(read(R"({"zebra": 0, "ant": 1})", 2), (Names{"zebra", "ant"}));
}

TEST_F(LabelFile, ErrorsNameThePlace) {
  EXPECT_TRUE(holds(error("cat\ndog\n"), {"labels.txt", "2 names", "3 classes"}));
  EXPECT_TRUE(holds(error("cat\n\neel\n"), {"class 1 is empty"}));
  EXPECT_TRUE(holds(error("cat\ndog\ncat\n"), {"'cat'", "class 0", "class 2"}));
  EXPECT_TRUE(holds(error("cat\nd\xF6g\neel\n"), {"UTF-8"}));
  EXPECT_TRUE(holds(error("0,cat\n1,dog\n1,eel\n"), {"class 1 is there twice"}));
  EXPECT_TRUE(holds(error("0,cat\n1,dog\n3,eel\n"), {"class 2 is missing"}));
  EXPECT_TRUE(holds(error("0,cat\n1,dog\neel\n"), {"line 3"}));
  EXPECT_TRUE(holds(error("0,cat\n1,dog\n-2,eel\n"), {"-2"}));
  EXPECT_TRUE(holds(error(R"({"0": "cat", "1": 2.5, "2": "eel"})"), {"class 1", "2.5"}));
  EXPECT_TRUE(holds(error(R"({"0": "cat", "x": "dog", "2": "eel"})"), {"'x'"}));
  EXPECT_TRUE(holds(error(R"({"99999999999": "cat"})"), {"99999999999"}));
  EXPECT_TRUE(holds(error("[\"cat\", "), {"labels.txt"}));
  EXPECT_TRUE(holds(error(std::string(5000, '[')), {"nests too deep"}));
  EXPECT_TRUE(holds(error(""), {"0 names"}));
  error_of(ErrorKind::io, [&] { labels_of_file((dir_ / "none.txt").string(), 3); });
}

// ---- ImageNet ----

TEST(ImageNetNames, AreAThousandAndAllDifferent) {
  for (const Names& names : {imagenet_names(), imagenet_synsets()}) {
    EXPECT_EQ(names.size(), 1000u);
    EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), 1000u);
  }
  // As the challenge counts them.
  EXPECT_EQ(imagenet_names()[0], "tench");
  EXPECT_EQ(imagenet_names()[207], "golden retriever");
  EXPECT_EQ(imagenet_names()[999], "toilet tissue");
  EXPECT_EQ(imagenet_synsets()[0], "n01440764");
  EXPECT_EQ(imagenet_synsets()[207], "n02099601");
  EXPECT_EQ(imagenet_synsets()[999], "n15075141");
  EXPECT_EQ(imagenet_names()[134], "crane (bird)");
  EXPECT_EQ(imagenet_names()[517], "crane (machine)");
}

TEST(ImageNetNames, ByWord) {
  EXPECT_EQ(labels_of_file("imagenet-1k", 1000).names, imagenet_names());
  EXPECT_EQ(labels_of_file("imagenet-1k-synsets", 1000).names, imagenet_synsets());
  error_of(ErrorKind::usage, [] { labels_of_file("imagenet-1k", 10); });
}

TEST(ImageNetNames, WhereTheConfigSaysSo) {
  const json tag{{"architecture", "vit_base_patch16_224"}, {"pretrained_cfg", {{"tag", "augreg_in21k_ft_in1k"}}}};
  EXPECT_EQ(labels_of_config(tag, 1000).names, imagenet_names());
  EXPECT_EQ(labels_of_config({{"architecture", "vit_base_patch16_224.augreg_in1k"}}, 1000).names, imagenet_names());
  EXPECT_TRUE(labels_of_config(tag, 10).names.empty());
  EXPECT_TRUE(labels_of_config({{"architecture", "vit_base_patch16_224.augreg_in21k"}}, 1000).names.empty());
  EXPECT_TRUE(labels_of_config(nullptr, 1000).names.empty());
  EXPECT_FALSE(labels_of_config(nullptr, 1000).source.empty());
}

// ---- config.json ----

TEST(LabelsOfConfig, OfTransformers) {
  const json config{{"id2label", {{"0", "cat"}, {"1", "dog"}, {"2", "eel, moray"}}}};
  EXPECT_EQ(labels_of_config(config, 3).names, kAnimals);
  EXPECT_TRUE(labels_of_config(config, 0).names.empty());
  const json placeholders{{"id2label", {{"0", "LABEL_0"}, {"1", "LABEL_1"}}}};
  EXPECT_TRUE(labels_of_config(placeholders, 5).names.empty());
}

TEST(LabelsOfConfig, OfTimm) {
  const json names{{"label_names", {"n1", "n2", "n3"}},
                   {"label_descriptions", {{"n1", "cat"}, {"n2", "dog"}, {"n3", "eel, moray"}}}};
  EXPECT_EQ(labels_of_config(names, 3).names, kAnimals);
  EXPECT_EQ(labels_of_config({{"label_names", {{"0", "cat"}, {"1", "dog"}}}}, 2).names, (Names{"cat", "dog"}));
  EXPECT_EQ(labels_of_config({{"labels", kAnimals}}, 3).names, kAnimals);
  EXPECT_EQ(labels_of_config({{"pretrained_cfg", {{"label_names", kAnimals}}}}, 3).names, kAnimals);
}

TEST(LabelsOfConfig, NamesThatAreThereTwiceAreToldApart) {
  EXPECT_EQ(labels_of_config({{"labels", {"cat", "dog", "cat"}}}, 3).names,
            (Names{"cat (class 0)", "dog", "cat (class 2)"}));
  json published;
  for (std::size_t i = 0; i < 1000; ++i) {
    const std::string name = imagenet_names()[i];
    published["id2label"][std::to_string(i)] = name.substr(0, name.find(" ("));
  }
  const Names names = labels_of_config(published, 1000).names;
  EXPECT_EQ(names[134], "crane (bird)");
  EXPECT_EQ(names[517], "crane (machine)");
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), 1000u);
}

TEST(LabelsOfConfig, ErrorsNameTheField) {
  const auto error = [](const json& config, int64_t classes) {
    return error_of(ErrorKind::data, [&] { labels_of_config(config, classes); });
  };
  EXPECT_TRUE(holds(error({{"id2label", {{"0", "cat"}, {"1", "dog"}}}}, 3), {"id2label", "2 names", "3 classes"}));
  EXPECT_TRUE(holds(error({{"id2label", {{"0", "cat"}, {"2", "dog"}}}}, 2), {"id2label", "class 1"}));
  EXPECT_TRUE(holds(error({{"id2label", {{"0", nullptr}}}}, 1), {"id2label", "class 0", "null"}));
  EXPECT_TRUE(holds(error({{"id2label", 7}}, 1), {"id2label", "7"}));
  EXPECT_TRUE(holds(error({{"label_names", {"a", json::array()}}}, 2), {"label_names", "[]"}));
  EXPECT_TRUE(
      holds(error({{"label_names", {"a"}}, {"label_descriptions", {{"a", 5}}}}, 1), {"label_descriptions", "5"}));
}

TEST(LabelsOfConfig, ControlCharactersDoNotGoOn) {
  EXPECT_EQ(labels_of_config({{"labels", {"a\nb", "c"}}}, 2).names[0], "a\\x0Ab");
}

}  // namespace
}  // namespace vit
