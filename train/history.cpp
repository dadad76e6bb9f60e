#include "train/history.h"

#include <array>
#include <charconv>
#include <string>

#include "vit/core/error.h"
#include "vit/core/json_fields.h"
#include "vit/core/json_text.h"
#include "vit/io/atomic_file.h"

namespace vit {
namespace {

using nlohmann::ordered_json;

std::string csv_number(double value) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::general, 7).ptr;
  return {text.data(), end};
}

std::string csv_number(const std::optional<double>& value) { return value ? csv_number(*value) : std::string(); }

std::string csv_line(const HistoryRow& row) {
  return concat(row.epoch, ',', row.step, ',', csv_number(static_cast<double>(row.lr)), ',', csv_number(row.train_loss),
                ',', csv_number(row.val_loss), ',', csv_number(row.val_top1), ',', csv_number(row.images_per_second),
                ',', csv_number(row.seconds), '\n');
}

/// The columns in the order of the table, which readers expect of a line of JSON too.
ordered_json ordered_columns(const HistoryRow& row) {
  static constexpr std::array kColumns{
      "epoch", "step", "lr", "train_loss", "val_loss", "val_top1", "images_per_second", "seconds", "nonfinite_steps"};
  const nlohmann::json json = to_json(row);
  ordered_json out;
  for (const char* column : kColumns) out[column] = json.at(column);
  return out;
}

}  // namespace

nlohmann::json to_json(const HistoryRow& row) {
  return {{"epoch", row.epoch},
          {"step", row.step},
          {"lr", shortest_double(row.lr)},
          {"train_loss", optional_json(row.train_loss)},
          {"val_loss", optional_json(row.val_loss)},
          {"val_top1", optional_json(row.val_top1)},
          {"images_per_second", row.images_per_second},
          {"seconds", row.seconds},
          {"nonfinite_steps", row.nonfinite_steps}};
}

HistoryRow history_row_from_json(const nlohmann::json& json, std::string_view where) {
  const JsonFields fields(json, "history", where);
  HistoryRow row;
  row.epoch = fields.count("epoch");
  row.step = fields.count("step");
  row.lr = static_cast<float>(fields.real("lr"));
  row.train_loss = fields.optional_real("train_loss");
  row.val_loss = fields.optional_real("val_loss");
  row.val_top1 = fields.optional_real("val_top1");
  row.images_per_second = fields.real("images_per_second");
  row.seconds = fields.real("seconds");
  row.nonfinite_steps = fields.count("nonfinite_steps");
  return row;
}

void write_history(const std::filesystem::path& run, const std::vector<HistoryRow>& rows) {
  std::string csv = "epoch,step,lr,train_loss,val_loss,val_top1,images_per_second,seconds\n";
  std::string lines;
  for (const HistoryRow& row : rows) {
    csv += csv_line(row);
    lines += json_text(ordered_columns(row)) + '\n';
  }
  write_file_atomically(run / "history.csv", csv);
  write_file_atomically(run / "history.jsonl", lines);
}

}  // namespace vit
