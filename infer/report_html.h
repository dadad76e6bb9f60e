// An evaluation as one page that needs no other file and no network.
#pragma once

#include <string>
#include <string_view>

#include "infer/report.h"

namespace vit {

/// `confusion_png` is embedded; empty = no picture.
std::string report_html(const Evaluation& evaluation, const ReportContext& context, std::string_view confusion_png);

/// RFC 4648.
std::string base64(std::string_view bytes);
/// &, <, >, " and ' as entities.
std::string html_escape(std::string_view text);
/// The same of bytes that may be anything: html_escape of printable().
std::string html_text(std::string_view bytes);

}  // namespace vit
