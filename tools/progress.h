// How far a long job is, on stderr: one line that is redrawn on a terminal, a plain line now and then in a file.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace vit::tools {

/// "1 h 02 min", "3 min 20 s", "12 s".
std::string duration_text(double seconds);

class Progress {
 public:
  /// `what` stands before the counts, e.g. "import".
  explicit Progress(std::string what);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Images done of `total` (-1: not known), with images/s and the time left.
  void update(int64_t done, int64_t total);
  /// Any other text in place of the line.
  void show(const std::string& text);
  /// Removes the line of a terminal, for other output.
  void finish() { erase(); }
  /// A line that stays.
  void line(const std::string& text);

 private:
  using Clock = std::chrono::steady_clock;

  void erase();

  std::string what_;
  bool terminal_;
  bool drawn_ = false;
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_ = start_;
};

}  // namespace vit::tools
