#include "vit/core/text.h"

#include <array>
#include <cstdint>
#include <cstdio>

#include "vit/core/json_text.h"

namespace vit {
namespace {

uint8_t byte_at(std::string_view text, std::size_t i) { return i < text.size() ? static_cast<uint8_t>(text[i]) : 0; }

struct CodePoint {
  uint32_t value = 0;
  std::size_t bytes = 0;  // 0 = the text does not begin with one
};

/// The first of the text, as RFC 3629 has it: no longer than needed, no surrogates, none above 0x10FFFF.
CodePoint first_code_point(std::string_view text) {
  constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const uint8_t lead = byte_at(text, 0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC0 || lead >= 0xF8) return {};
  uint32_t value = lead & (0x7F >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    const uint8_t byte = byte_at(text, i);
    if ((byte & 0xC0) != 0x80) return {};
    value = value << 6 | (byte & 0x3F);
  }
  if (value < kLeast[bytes] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return {};
  return {value, bytes};
}

bool is_control(uint32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

bool is_hex(uint8_t c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'); }

bool looks_escaped(std::string_view text) {
  return text[0] == '\\' && byte_at(text, 1) == 'x' && is_hex(byte_at(text, 2)) && is_hex(byte_at(text, 3));
}

std::string escaped(std::string_view bytes, bool backslashes) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const CodePoint c = first_code_point(bytes);
    const bool plain = c.bytes > 0 && !is_control(c.value) && !(backslashes && looks_escaped(bytes));
    const std::size_t taken = c.bytes > 0 ? c.bytes : 1;
    if (plain) text += bytes.substr(0, taken);
    for (std::size_t i = 0; i < taken && !plain; ++i)
      text.append("\\x").append(1, kDigits[byte_at(bytes, i) >> 4]).append(1, kDigits[byte_at(bytes, i) & 15]);
    bytes.remove_prefix(taken);
  }
  return text;
}

}  // namespace

std::string printable(std::string_view bytes) { return escaped(bytes, true); }

std::string printable_message(std::string_view message) { return escaped(message, false); }

std::string without_controls(std::string json) {
  for (std::size_t i = 0; i < json.size();) {
    const CodePoint c = first_code_point(std::string_view(json).substr(i));
    if (c.value < 0x7F || !is_control(c.value)) {
      i += c.bytes > 0 ? c.bytes : 1;
      continue;
    }
    std::array<char, 16> escape{};
    std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned>(c.value));
    json.replace(i, c.bytes, escape.data());
    i += 6;
  }
  return json;
}

std::vector<std::string> printable(const std::vector<std::string>& names) {
  std::vector<std::string> texts;
  texts.reserve(names.size());
  for (const std::string& name : names) texts.push_back(printable(name));
  return texts;
}

}  // namespace vit
