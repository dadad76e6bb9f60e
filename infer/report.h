// An evaluation as text, CSV and JSON.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "infer/evaluate.h"
#include "vit/core/dtype.h"

namespace vit {

/// What was evaluated with what.
struct ReportContext {
  std::string model;
  std::string data;
  DType dtype = DType::f32;
  int threads = 1;
};

/// Aligned text: totals, a table of the classes, the most frequent confusions, the unreadable pictures.
std::string report_text(const Evaluation& evaluation, const ReportContext& context);

/// The fields of `eval --json` (docs/cli.md); rates are fractions 0..1.
nlohmann::ordered_json report_json(const Evaluation& evaluation, const ReportContext& context);
/// The same as text, ready to be written.
std::string report_json_text(const Evaluation& evaluation, const ReportContext& context);

/// label,images,predicted,correct,precision,recall,f1 : a line a class.
std::string classes_csv(const Evaluation& evaluation);
/// index,path,label,predicted,probability,rank,correct : a line a picture; classes by name, rank counted from 1.
std::string predictions_csv(const Evaluation& evaluation);
/// A line a true class, a column a predicted one.
std::string confusion_csv(const Evaluation& evaluation);

/// Pairs of different classes by how often the first was taken for the second, at most `count`.
struct Confusion {
  int64_t label = 0;
  int64_t predicted = 0;
  int64_t images = 0;
};
std::vector<Confusion> top_confusions(const Evaluation& evaluation, std::size_t count);

/// The files that write_report may make in the folder.
std::vector<std::filesystem::path> report_files(const std::filesystem::path& folder);

/// Makes the folder if needed and writes report.txt, report.json, report.html, classes.csv, predictions.csv,
/// confusion.csv and confusion.png (the last two while there are not too many classes; else those of an older report
/// go). Throws Error.
void write_report(const std::filesystem::path& folder, const Evaluation& evaluation, const ReportContext& context);

}  // namespace vit
