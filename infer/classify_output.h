// Classification results as text.
//   table  one line a picture and rank, for people
//   csv    path,label,index,probability,label2,index2,probability2,...,error : top_k groups, one line a picture;
//          quoted as RFC 4180 says, lines end with a line feed
//   jsonl  {"path","top":[{"label","index","probability"}],"logits":[...]} or {"path","error"}, one line a picture
#pragma once

#include <cstdint>
#include <filesystem>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "infer/classify_files.h"
#include "infer/inputs.h"
#include "vit/core/words.h"

namespace vit {

enum class OutputFormat { table, csv, jsonl };
template <>
inline constexpr Word<OutputFormat> kWords<OutputFormat>[] = {
    {OutputFormat::table, "table"}, {OutputFormat::csv, "csv"}, {OutputFormat::jsonl, "jsonl"}};

struct ClassifyOutputOptions {
  OutputFormat format = OutputFormat::table;
  int64_t top_k = 5;       // columns of the CSV
  bool logits = false;     // jsonl only
  int64_t path_width = 0;  // columns of the table's first column; see table_path_width
};

/// The widest path, within bounds that leave room for the rest of the line.
int64_t table_path_width(std::span<const InputFile> inputs);

/// Writes results as they come.
class ClassifyWriter {
 public:
  /// Writes the header, if the format has one. Throws Error (usage) for logits in a format that has no place for
  /// them.
  ClassifyWriter(std::ostream& out, const ClassifyOutputOptions& options);
  void write(const FileResult& result);
  /// Throws Error (io) when something could not be written (a full disk).
  void finish();

 private:
  void write_table(const FileResult& result);
  void write_csv(const FileResult& result);
  void write_jsonl(const FileResult& result);

  std::ostream& out_;
  ClassifyOutputOptions options_;
};

/// Collects the embeddings of the classified files and writes them as HDF5: `embeddings` float [n, D] and `paths`
/// [n], in input order; unreadable files have no row.
class EmbeddingsFile {
 public:
  void add(const FileResult& result);
  /// Throws Error.
  void save(const std::filesystem::path& path) const;

 private:
  int64_t width_ = 0;
  std::vector<float> rows_;
  std::vector<std::string> paths_;
};

}  // namespace vit
