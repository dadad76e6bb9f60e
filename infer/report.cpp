#include "infer/report.h"

#include <algorithm>
#include <sstream>

#include "infer/class_match.h"
#include "infer/confusion_picture.h"
#include "infer/report_html.h"
#include "infer/text_format.h"
#include "vit/core/json_text.h"
#include "vit/core/text.h"
#include "vit/io/atomic_file.h"

namespace vit {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kConfusionTable = "confusion.csv";
constexpr const char* kConfusionPicture = "confusion.png";

const std::string& name_of(const Evaluation& evaluation, int64_t index) {
  return evaluation.class_names[static_cast<std::size_t>(index)];
}

std::string totals(const Evaluation& e, const ReportContext& context) {
  const auto line = [](const char* what, const std::string& value) { return pad_right(what, 13) + value + "\n"; };
  std::string text;
  text += line("model", printable(context.model));
  text += line("data", printable(context.data) + ", split " + e.split);
  text += line("images", std::to_string(e.images) +
                             (e.unreadable.empty() ? "" : concat(" (", e.unreadable.size(), " more unreadable)")));
  if (e.left_out > 0)
    text += line(
        "left out",
        concat(e.left_out, " of classes that the model does not know: ", printable(some_names(e.unknown_classes))));
  text += line("top-1", concat(percent(e.top1), "  (", e.scores.correct, " of ", e.images, ")"));
  text += line("top-5", percent(e.top5));
  text += line("loss", fixed(e.loss, 4));
  text += line("macro", concat("precision ", percent(e.scores.macro_precision), ", recall ",
                               percent(e.scores.macro_recall), ", F1 ", percent(e.scores.macro_f1)));
  text += line("speed", concat(fixed(e.images_per_second, 1), " images/s, ", dtype_name(context.dtype), ", ",
                               context.threads, context.threads == 1 ? " thread" : " threads"));
  return text;
}

std::string class_table(const Evaluation& e) {
  constexpr int64_t kWidest = 40;
  int64_t width = 5;
  for (const std::string& name : e.class_names) width = std::max(width, display_width(printable(name)));
  width = std::min(width, kWidest);
  constexpr int64_t kColumn = 10;
  std::string text = pad_right("class", width);
  for (const char* heading : {"images", "correct", "precision", "recall", "F1"}) text += pad_left(heading, kColumn);
  text += '\n';
  for (std::size_t c = 0; c < e.scores.classes.size(); ++c) {
    const ClassScore& s = e.scores.classes[c];
    text += pad_right(printable(e.class_names[c]), width);
    text += pad_left(std::to_string(s.images), kColumn) + pad_left(std::to_string(s.correct), kColumn);
    for (double rate : {s.precision, s.recall, s.f1}) text += pad_left(percent(rate), kColumn);
    text += '\n';
  }
  return text;
}

Json class_json(const std::string& label, const ClassScore& s) {
  return {{"label", printable(label)}, {"images", s.images}, {"correct", s.correct},
          {"precision", s.precision},  {"recall", s.recall}, {"f1", s.f1}};
}

Json confusion_json(const Evaluation& e) {
  Json rows = Json::array();
  const std::size_t classes = e.class_names.size();
  for (std::size_t row = 0; row * classes < e.scores.confusion.size(); ++row) {
    const auto begin = e.scores.confusion.begin() + static_cast<std::ptrdiff_t>(row * classes);
    rows.push_back(std::vector<int64_t>(begin, begin + static_cast<std::ptrdiff_t>(classes)));
  }
  return rows;
}

}  // namespace

std::vector<Confusion> top_confusions(const Evaluation& evaluation, std::size_t count) {
  std::vector<Confusion> pairs;
  const auto classes = static_cast<int64_t>(evaluation.class_names.size());
  for (std::size_t i = 0; i < evaluation.scores.confusion.size(); ++i) {
    const int64_t row = static_cast<int64_t>(i) / classes;
    const int64_t col = static_cast<int64_t>(i) % classes;
    if (row != col && evaluation.scores.confusion[i] > 0) pairs.push_back({row, col, evaluation.scores.confusion[i]});
  }
  std::stable_sort(pairs.begin(), pairs.end(), [](const auto& a, const auto& b) { return a.images > b.images; });
  if (pairs.size() > count) pairs.resize(count);
  return pairs;
}

std::string report_text(const Evaluation& evaluation, const ReportContext& context) {
  std::string text = totals(evaluation, context) + "\n" + class_table(evaluation);
  const std::vector<Confusion> confused = top_confusions(evaluation, 10);
  if (!confused.empty()) text += "\nmost frequent confusions\n";
  for (const Confusion& pair : confused)
    text += concat(pad_left(std::to_string(pair.images), 6), "  ", printable(name_of(evaluation, pair.label)),
                   " taken for ", printable(name_of(evaluation, pair.predicted)), "\n");
  if (!evaluation.unreadable.empty()) text += concat("\nunreadable: ", evaluation.unreadable.size(), "\n");
  for (const UnreadableImage& bad : evaluation.unreadable)
    text += concat("  ", printable(bad.path), ": ", printable(bad.error), "\n");
  return text;
}

nlohmann::ordered_json report_json(const Evaluation& e, const ReportContext& context) {
  Json json;
  json["model"] = printable(context.model);
  json["data"] = printable(context.data);
  json["split"] = e.split;
  json["images"] = e.images;
  json["unreadable"] = Json::array();
  for (const UnreadableImage& bad : e.unreadable)
    json["unreadable"].push_back({{"path", printable(bad.path)}, {"error", printable(bad.error)}});
  json["top1"] = e.top1;
  json["top5"] = e.top5;
  json["loss"] = e.loss;
  json["classes"] = Json::array();
  for (std::size_t c = 0; c < e.scores.classes.size(); ++c)
    json["classes"].push_back(class_json(e.class_names[c], e.scores.classes[c]));
  json["confusion"] = confusion_json(e);
  json["images_per_second"] = e.images_per_second;
  json["dtype"] = dtype_name(context.dtype);
  json["threads"] = context.threads;
  return json;
}

std::string report_json_text(const Evaluation& evaluation, const ReportContext& context) {
  return json_text(report_json(evaluation, context), 1) + "\n";
}

std::string classes_csv(const Evaluation& evaluation) {
  std::ostringstream out;
  out.imbue(std::locale::classic());
  out.precision(9);
  out << "label,images,predicted,correct,precision,recall,f1\n";
  for (std::size_t c = 0; c < evaluation.scores.classes.size(); ++c) {
    const ClassScore& s = evaluation.scores.classes[c];
    out << csv_text(evaluation.class_names[c]) << ',' << s.images << ',' << s.predicted << ',' << s.correct << ','
        << s.precision << ',' << s.recall << ',' << s.f1 << '\n';
  }
  return out.str();
}

std::string predictions_csv(const Evaluation& evaluation) {
  std::ostringstream out;
  out.imbue(std::locale::classic());
  out << "index,path,label,predicted,probability,rank,correct\n";
  for (const ImageAnswer& a : evaluation.answers)
    out << a.index << ',' << csv_text(a.path) << ',' << csv_text(name_of(evaluation, a.label)) << ','
        << csv_text(name_of(evaluation, a.predicted)) << ',' << shortest(a.probability) << ',' << a.rank + 1 << ','
        << (a.predicted == a.label ? 1 : 0) << '\n';
  return out.str();
}

std::string confusion_csv(const Evaluation& evaluation) {
  std::ostringstream out;
  out.imbue(std::locale::classic());
  out << "true\\predicted";
  for (const std::string& name : evaluation.class_names) out << ',' << csv_text(name);
  out << '\n';
  const std::size_t classes = evaluation.class_names.size();
  for (std::size_t i = 0; i < evaluation.scores.confusion.size(); ++i) {
    if (i % classes == 0) out << csv_text(evaluation.class_names[i / classes]);
    out << ',' << evaluation.scores.confusion[i] << ((i + 1) % classes == 0 ? "\n" : "");
  }
  return out.str();
}

std::vector<std::filesystem::path> report_files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const char* name : {"report.txt", "report.json", "report.html", "classes.csv", "predictions.csv",
                           kConfusionTable, kConfusionPicture})
    files.push_back(folder / name);
  return files;
}

void write_report(const std::filesystem::path& folder, const Evaluation& evaluation, const ReportContext& context) {
  make_folders(folder);
  for (const char* name : {kConfusionTable, kConfusionPicture}) {
    std::error_code error;
    std::filesystem::remove(folder / name, error);
    if (error) fail(ErrorKind::io, "[report] cannot remove ", (folder / name).string(), ": ", error.message());
  }
  write_file_atomically(folder / "report.txt", report_text(evaluation, context));
  write_file_atomically(folder / "report.json", report_json_text(evaluation, context));
  write_file_atomically(folder / "classes.csv", classes_csv(evaluation));
  write_file_atomically(folder / "predictions.csv", predictions_csv(evaluation));
  std::string png;
  if (!evaluation.scores.confusion.empty()) {
    write_file_atomically(folder / kConfusionTable, confusion_csv(evaluation));
    if (static_cast<int64_t>(evaluation.class_names.size()) <= kMaxConfusionPicture) {
      const std::vector<unsigned char> bytes = draw_confusion(evaluation.scores.confusion, evaluation.class_names);
      png.assign(bytes.begin(), bytes.end());
      write_file_atomically(folder / kConfusionPicture, png);
    }
  }
  write_file_atomically(folder / "report.html", report_html(evaluation, context, png));
}

}  // namespace vit
