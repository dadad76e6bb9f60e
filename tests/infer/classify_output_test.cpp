#include "infer/classify_output.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/support/temp_dir.h"
#include "vit/core/error.h"
#include "vit/io/hdf5.h"

namespace vit {
namespace {

const std::vector<float> kLogits{0.25f, -1.5f, 3};
const std::vector<float> kEmbedding{1, 2, 3, 4};

FileResult good(const std::string& path) {
  FileResult result;
  result.path = path;
  result.predictions = {{"tabby, cat", 2, 0.75f}, {"dog", 0, 0.1f}};
  result.logits = kLogits;
  result.embedding = kEmbedding;
  return result;
}

FileResult bad(const std::string& path) {
  FileResult result;
  result.path = path;
  result.error = "it is \"empty\"";
  return result;
}

std::string written(const ClassifyOutputOptions& options, const std::vector<FileResult>& results) {
  std::ostringstream out;
  ClassifyWriter writer(out, options);
  for (const FileResult& result : results) writer.write(result);
  writer.finish();
  return out.str();
}

TEST(ClassifyOutput, Csv) {
  EXPECT_EQ(written({.format = OutputFormat::csv, .top_k = 3}, {good("a.png"), bad("b,1.png")}),
            "path,label,index,probability,label2,index2,probability2,label3,index3,probability3,error\n"
            "a.png,\"tabby, cat\",2,0.75,dog,0,0.1,,,,\n"
            "\"b,1.png\",,,,,,,,,,\"it is \"\"empty\"\"\"\n");
}

TEST(ClassifyOutput, CsvOfOneAnswer) {
  EXPECT_EQ(written({.format = OutputFormat::csv, .top_k = 1}, {good("a.png")}),
            "path,label,index,probability,error\na.png,\"tabby, cat\",2,0.75,\n");
}

TEST(ClassifyOutput, JsonLines) {
  EXPECT_EQ(written({.format = OutputFormat::jsonl}, {good("a.png"), bad("b.png")}),
            R"({"path":"a.png","top":[{"label":"tabby, cat","index":2,"probability":0.75},)"
            R"({"label":"dog","index":0,"probability":0.1}]})"
            "\n"
            R"({"path":"b.png","error":"it is \"empty\""})"
            "\n");
}

TEST(ClassifyOutput, JsonLinesWithLogits) {
  const std::string text = written({.format = OutputFormat::jsonl, .logits = true}, {good("a.png")});
  EXPECT_EQ(nlohmann::json::parse(text).at("logits"), nlohmann::json({0.25, -1.5, 3.0}));
}

TEST(ClassifyOutput, PathThatIsNotUtf8StaysValidJson) {
  const std::string text = written({.format = OutputFormat::jsonl}, {good("a\xff.png")});
  EXPECT_EQ(nlohmann::json::parse(text).at("path"), "a\\xFF.png");
}

TEST(ClassifyOutput, Table) {
  const std::vector<InputFile> inputs{{"a.png", {}}, {"longer.png", {}}};
  EXPECT_EQ(table_path_width(inputs), 10);
  EXPECT_EQ(written({.format = OutputFormat::table, .path_width = 10}, {good("a.png"), bad("longer.png")}),
            "path        rank  probability  label\n"
            "a.png          1      75.00 %  tabby, cat\n"
            "               2      10.00 %  dog\n"
            "longer.png  error: it is \"empty\"\n");
}

TEST(ClassifyOutput, RefusesWhatHasNoPlace) {
  std::ostringstream out;
  EXPECT_THROW(ClassifyWriter(out, {.format = OutputFormat::csv, .logits = true}), Error);
}

TEST(ClassifyOutput, FullDiskIsAnError) {
  std::ostringstream out;
  ClassifyWriter writer(out, {.format = OutputFormat::csv});
  out.setstate(std::ios::badbit);
  EXPECT_THROW(writer.finish(), Error);
}

TEST(EmbeddingsFile, HoldsTheReadableOnesInOrder) {
  test::TempDir dir;
  EmbeddingsFile embeddings;
  embeddings.add(good("a.png"));
  embeddings.add(bad("b.png"));
  embeddings.add(good("c.png"));
  embeddings.save(dir / "e.h5");
  const h5::File file = h5::File::open(dir / "e.h5");
  EXPECT_EQ(file.info("/embeddings").shape, (std::vector<int64_t>{2, 4}));
  std::vector<float> rows(8);
  file.read("/embeddings", std::span<float>(rows));
  EXPECT_EQ(rows, (std::vector<float>{1, 2, 3, 4, 1, 2, 3, 4}));
  EXPECT_EQ(file.read_texts("/paths"), (std::vector<std::string>{"a.png", "c.png"}));
}

TEST(EmbeddingsFile, OfNothingIsAnError) {
  test::TempDir dir;
  EXPECT_THROW(EmbeddingsFile().save(dir / "e.h5"), Error);
  EXPECT_FALSE(std::filesystem::exists(dir / "e.h5"));
}

}  // namespace
}  // namespace vit
