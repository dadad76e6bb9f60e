// The one exception type of the library and the helper that throws it.
#pragma once

#include <locale>
#include <sstream>
#include <stdexcept>
#include <string>

namespace vit {

enum class ErrorKind {
  usage,     // the caller asked for something that makes no sense
  data,      // a file or an input holds something wrong
  io,        // the operating system refused: no such file, no permission, disk full
  internal,  // a defect of this library
};

/// One line of text: what, wanted, got, where, likely cause.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& text) : std::runtime_error(text), kind_(kind) {}
  ErrorKind kind() const noexcept { return kind_; }

 private:
  ErrorKind kind_;
};

/// Joins the parts with operator<<, numbers as in C++ itself whatever the program's locale is.
template <class... Parts>
std::string concat(const Parts&... parts) {
  std::ostringstream out;
  out.imbue(std::locale::classic());
  (out << ... << parts);
  return out.str();
}

/// Throws Error of the kind with the parts joined.
template <class... Parts>
[[noreturn]] void fail(ErrorKind kind, const Parts&... parts) {
  throw Error(kind, concat(parts...));
}

}  // namespace vit
