#include "infer/report_html.h"

#include <algorithm>

#include "infer/text_format.h"
#include "vit/core/text.h"

namespace vit {
namespace {

constexpr std::string_view kStyle = R"(
:root { color-scheme: light dark; --line: #8884; --bar: #3b6fd455; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin-bottom: .2rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.from { opacity: .7; margin: 0 0 1.5rem; overflow-wrap: anywhere; }
.cards { display: flex; flex-wrap: wrap; gap: .8rem; }
.card { border: 1px solid var(--line); border-radius: .6rem; padding: .6rem 1rem; min-width: 7rem; }
.card b { display: block; font-size: 1.5rem; font-variant-numeric: tabular-nums; }
.card span { opacity: .7; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .8rem; text-align: right; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; overflow-wrap: anywhere; }
td.bar { background: linear-gradient(90deg, var(--bar) var(--share), transparent var(--share)); }
img { max-width: 100%; height: auto; background: white; border-radius: .4rem; }
)";

std::string card(std::string_view value, std::string_view what) {
  return concat("<div class=card><b>", value, "</b><span>", what, "</span></div>\n");
}

std::string bar_cell(double rate) {
  return concat("<td class=bar style=\"--share:", fixed(100 * rate, 1), "%\">", percent(rate), "</td>");
}

std::string class_rows(const Evaluation& e) {
  std::string rows;
  for (std::size_t c = 0; c < e.scores.classes.size(); ++c) {
    const ClassScore& s = e.scores.classes[c];
    rows += concat("<tr><td>", html_text(e.class_names[c]), "</td><td>", s.images, "</td><td>", s.correct, "</td>",
                   bar_cell(s.precision), bar_cell(s.recall), bar_cell(s.f1), "</tr>\n");
  }
  return rows;
}

std::string confusion_rows(const Evaluation& e) {
  std::string rows;
  for (const Confusion& pair : top_confusions(e, 10))
    rows += concat("<tr><td>", html_text(e.class_names[static_cast<std::size_t>(pair.label)]), "</td><td>",
                   html_text(e.class_names[static_cast<std::size_t>(pair.predicted)]), "</td><td>", pair.images,
                   "</td></tr>\n");
  return rows;
}

std::string unreadable_section(const Evaluation& e) {
  if (e.unreadable.empty()) return {};
  std::string text = concat("<h2>Unreadable pictures: ", e.unreadable.size(), "</h2>\n<ul>\n");
  for (const UnreadableImage& bad : e.unreadable)
    text += concat("<li>", html_text(bad.path), ": ", html_text(bad.error), "</li>\n");
  return text + "</ul>\n";
}

}  // namespace

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k)
      group = group << 8 | (k < count ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k) text += k <= count ? kDigits[group >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

std::string html_escape(std::string_view text) {
  std::string safe;
  for (char c : text) {
    switch (c) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '"':
        safe += "&quot;";
        break;
      case '\'':
        safe += "&#39;";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

std::string html_text(std::string_view bytes) { return html_escape(printable(bytes)); }

std::string report_html(const Evaluation& evaluation, const ReportContext& context, std::string_view confusion_png) {
  const Evaluation& e = evaluation;
  std::string page = concat("<!doctype html>\n<html lang=en><meta charset=utf-8>\n",
                            "<meta name=viewport content=\"width=device-width\">\n<title>Evaluation of ",
                            html_text(context.model), "</title>\n<style>", kStyle, "</style>\n<h1>Evaluation</h1>\n");
  page += concat("<p class=from>", html_text(context.model), " on ", html_text(context.data), ", split ",
                 html_text(e.split), "</p>\n<div class=cards>\n");
  page += card(percent(e.top1), concat("top-1, ", e.scores.correct, " of ", e.images));
  page += card(percent(e.top5), "top-5");
  page += card(fixed(e.loss, 4), "loss");
  page += card(percent(e.scores.macro_f1), "macro F1");
  page += card(fixed(e.images_per_second, 0),
               concat("images/s, ", dtype_name(context.dtype), ", threads: ", context.threads));
  page += concat("</div>\n<h2>Classes</h2>\n<table>\n<tr><th>class<th>images<th>correct<th>precision<th>recall<th>F1",
                 "</tr>\n", class_rows(e), "</table>\n");
  const std::string confused = confusion_rows(e);
  if (!confused.empty())
    page += concat("<h2>Most frequent confusions</h2>\n<table>\n<tr><th>class<th>taken for<th>images</tr>\n", confused,
                   "</table>\n");
  if (!confusion_png.empty())
    page += concat("<h2>Confusion matrix</h2>\n<img alt=\"confusion matrix\" src=\"data:image/png;base64,",
                   base64(confusion_png), "\">\n");
  return page + unreadable_section(e) + "</html>\n";
}

}  // namespace vit
