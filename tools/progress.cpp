#include "tools/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <sstream>

namespace vit::tools {
namespace {

constexpr std::chrono::milliseconds kTerminalPause{100};
constexpr std::chrono::seconds kFilePause{10};

double seconds_between(std::chrono::steady_clock::time_point a, std::chrono::steady_clock::time_point b) {
  return std::chrono::duration<double>(b - a).count();
}

}  // namespace

std::string duration_text(double seconds) {
  const auto whole = static_cast<int64_t>(std::llround(std::max(0.0, seconds)));
  std::ostringstream out;
  out << std::setfill('0');
  if (whole >= 3600)
    out << whole / 3600 << " h " << std::setw(2) << whole / 60 % 60 << " min";
  else if (whole >= 60)
    out << whole / 60 << " min " << std::setw(2) << whole % 60 << " s";
  else
    out << whole << " s";
  return out.str();
}

Progress::Progress(std::string what) : what_(std::move(what)), terminal_(isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() { erase(); }

void Progress::update(int64_t done, int64_t total) {
  const double elapsed = seconds_between(start_, Clock::now());
  std::ostringstream text;
  text << what_ << ": " << done;
  if (total >= 0) text << " of " << total;
  text << " images";
  if (elapsed > 0 && done > 0) {
    const double rate = static_cast<double>(done) / elapsed;
    text << ", " << std::fixed << std::setprecision(rate < 10 ? 1 : 0) << rate << " images/s";
    if (total > done) text << ", " << duration_text(static_cast<double>(total - done) / rate) << " left";
  }
  show(text.str());
}

void Progress::show(const std::string& text) {
  const auto now = Clock::now();
  if (now - last_ < (terminal_ ? std::chrono::milliseconds(kTerminalPause) : kFilePause)) return;
  last_ = now;
  if (terminal_) {
    std::cerr << "\r\033[K" << text << std::flush;
    drawn_ = true;
  } else {
    std::cerr << text << '\n';
  }
}

void Progress::line(const std::string& text) {
  erase();
  std::cerr << text << '\n';
}

void Progress::erase() {
  if (drawn_) std::cerr << "\r\033[K" << std::flush;
  drawn_ = false;
}

}  // namespace vit::tools
