#include "infer/classify_output.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "infer/text_format.h"
#include "vit/core/json_text.h"
#include "vit/core/text.h"
#include "vit/io/atomic_file.h"
#include "vit/io/hdf5.h"

namespace vit {
namespace {

constexpr int64_t kRankWidth = 4;
constexpr int64_t kProbabilityWidth = 11;

}  // namespace

int64_t table_path_width(std::span<const InputFile> inputs) {
  constexpr int64_t kLeast = 4;  // the heading
  constexpr int64_t kMost = 60;
  int64_t width = kLeast;
  for (const InputFile& input : inputs) width = std::max(width, display_width(printable(input.path)));
  return std::min(width, kMost);
}

ClassifyWriter::ClassifyWriter(std::ostream& out, const ClassifyOutputOptions& options) : out_(out), options_(options) {
  if (options.logits && options.format != OutputFormat::jsonl)
    fail(ErrorKind::usage, "[classify] logits need the format jsonl");
  if (options.format == OutputFormat::table) {
    out_ << pad_right("path", options.path_width) << "  " << pad_left("rank", kRankWidth) << "  "
         << pad_left("probability", kProbabilityWidth) << "  label\n";
  } else if (options.format == OutputFormat::csv) {
    out_ << "path,label,index,probability";
    for (int64_t k = 2; k <= options.top_k; ++k) out_ << ",label" << k << ",index" << k << ",probability" << k;
    out_ << ",error\n";
  }
}

void ClassifyWriter::write(const FileResult& result) {
  switch (options_.format) {
    case OutputFormat::table:
      return write_table(result);
    case OutputFormat::csv:
      return write_csv(result);
    case OutputFormat::jsonl:
      return write_jsonl(result);
  }
}

void ClassifyWriter::finish() {
  out_.flush();
  if (!out_) fail(ErrorKind::io, "[classify] the results could not be written; is the disk full?");
}

void ClassifyWriter::write_table(const FileResult& result) {
  std::string first = pad_right(printable(result.path), options_.path_width);
  if (!result.error.empty()) {
    out_ << first << "  error: " << printable(result.error) << '\n';
    return;
  }
  int64_t rank = 0;
  for (const Prediction& p : result.predictions) {
    out_ << first << "  " << pad_left(std::to_string(++rank), kRankWidth) << "  "
         << pad_left(percent(static_cast<double>(p.probability)), kProbabilityWidth) << "  " << printable(p.label)
         << '\n';
    first.assign(static_cast<std::size_t>(options_.path_width), ' ');
  }
}

void ClassifyWriter::write_csv(const FileResult& result) {
  out_ << csv_text(result.path);
  for (std::size_t k = 0; k < static_cast<std::size_t>(options_.top_k); ++k) {
    if (k < result.predictions.size()) {
      const Prediction& p = result.predictions[k];
      out_ << ',' << csv_text(p.label) << ',' << p.index << ',' << shortest(p.probability);
    } else {
      out_ << ",,,";
    }
  }
  out_ << ',' << csv_text(result.error) << '\n';
}

void ClassifyWriter::write_jsonl(const FileResult& result) {
  nlohmann::ordered_json line;
  line["path"] = printable(result.path);
  if (!result.error.empty()) {
    line["error"] = printable(result.error);
  } else {
    line["top"] = nlohmann::ordered_json::array();
    for (const Prediction& p : result.predictions)
      line["top"].push_back(
          {{"label", printable(p.label)}, {"index", p.index}, {"probability", json_number(p.probability)}});
    if (options_.logits) {
      line["logits"] = nlohmann::ordered_json::array();
      for (float logit : result.logits) line["logits"].push_back(json_number(logit));
    }
  }
  out_ << json_text(line) << '\n';
}

void EmbeddingsFile::add(const FileResult& result) {
  if (!result.error.empty()) return;
  width_ = static_cast<int64_t>(result.embedding.size());
  rows_.insert(rows_.end(), result.embedding.begin(), result.embedding.end());
  paths_.push_back(result.path);
}

void EmbeddingsFile::save(const std::filesystem::path& path) const {
  if (paths_.empty()) fail(ErrorKind::data, "[classify] ", path.string(), ": no picture could be read, no embeddings");
  write_atomically(path, [&](const std::filesystem::path& temporary) {
    h5::File file = h5::File::create(temporary);
    file.write("/embeddings", {static_cast<int64_t>(paths_.size()), width_}, std::span<const float>(rows_));
    file.write_texts("/paths", paths_);
    file.close();
  });
}

}  // namespace vit
