#include "tools/report.h"

#include "vit/io/output.h"

namespace vit::tools {

std::ostream& text_beside(const std::string& output) {
  return !output.empty() && is_standard_output(output) ? std::cerr : std::cout;
}

std::string unreadable_text(const std::string& path, const std::string& error) {
  return error.find(path) == std::string::npos ? path + ": " + error : error;
}

std::string class_summary(const std::vector<std::string>& names) {
  constexpr size_t kLine = 80;
  std::string text = std::to_string(names.size()) + (names.size() == 1 ? " class: " : " classes: ");
  for (size_t i = 0; i < names.size(); ++i) {
    if (text.size() > kLine) return text + ", ...";
    text += (i > 0 ? ", " : "") + printable(names[i]);
  }
  return text;
}

}  // namespace vit::tools
