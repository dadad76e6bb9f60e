#include "train/history.h"

#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"
#include "vit/core/error.h"
#include "vit/io/atomic_file.h"

namespace vit {
namespace {

HistoryRow full_row() {
  return {.epoch = 1,
          .step = 390,
          .lr = 1e-3f,
          .train_loss = 1.75,
          .val_loss = 1.5,
          .val_top1 = 0.4375,
          .images_per_second = 800,
          .seconds = 62.5,
          .nonfinite_steps = 0};
}

HistoryRow bare_row() {
  HistoryRow row;
  row.epoch = 2;
  row.step = 780;
  row.lr = 0.1f;
  row.nonfinite_steps = 3;
  return row;
}

TEST(History, WritesTheColumnsOfTheContract) {
  const test::TempDir folder;
  write_history(folder.path(), {full_row(), bare_row()});
  EXPECT_EQ(read_file(folder / "history.csv", 1 << 20),
            "epoch,step,lr,train_loss,val_loss,val_top1,images_per_second,seconds\n"
            "1,390,0.001,1.75,1.5,0.4375,800,62.5\n"
            "2,780,0.1,,,,0,0\n");
  EXPECT_EQ(read_file(folder / "history.jsonl", 1 << 20),
            R"({"epoch":1,"step":390,"lr":0.001,"train_loss":1.75,"val_loss":1.5,"val_top1":0.4375,)"
            R"("images_per_second":800.0,"seconds":62.5,"nonfinite_steps":0})"
            "\n"
            R"({"epoch":2,"step":780,"lr":0.1,"train_loss":null,"val_loss":null,"val_top1":null,)"
            R"("images_per_second":0.0,"seconds":0.0,"nonfinite_steps":3})"
            "\n");
}

TEST(History, RowsComeBackBitForBit) {
  HistoryRow row = full_row();
  row.lr = 1.0f / 3;
  row.train_loss = 2.0 / 3;
  row.val_loss = 0.1;
  for (const HistoryRow& wanted : {row, bare_row()}) {
    const auto text = to_json(wanted).dump();
    EXPECT_EQ(history_row_from_json(nlohmann::json::parse(text), "test"), wanted);
  }
}

TEST(History, FaultsNameFieldAndFile) {
  nlohmann::json json = to_json(full_row());
  json["step"] = -1;
  try {
    history_row_from_json(json, "last.h5");
    FAIL() << "a negative step was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
    EXPECT_STREQ(error.what(), "[history] step: needs a whole number of at least 0, has -1 (last.h5)");
  }
  json.erase("step");
  EXPECT_THROW(history_row_from_json(json, "last.h5"), Error);
  EXPECT_THROW(history_row_from_json(nlohmann::json::array(), "last.h5"), Error);
}

}  // namespace
}  // namespace vit
