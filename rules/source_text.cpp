#include "rules/source_text.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace hub::rules {
namespace {

bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// Reads a TOML string (TOML 1.0, section String) character by character, with positions.
class StringReader {
 public:
  StringReader(std::string_view toml, SourcePosition begin) : toml_(toml), place_(begin) {
    for (std::uint32_t line = 1; line < begin.line; ++line) {
      const std::size_t end = toml_.find('\n', at_);
      at_ = end == std::string_view::npos ? toml_.size() : end + 1;
    }
    for (std::uint32_t column = 1; column < begin.column && at_ < toml_.size(); ++column) {
      do ++at_;
      while (at_ < toml_.size() && continues_character(toml_[at_]));
    }
  }

  bool read() {
    const std::string_view rest = toml_.substr(std::min(at_, toml_.size()));
    if (rest.empty() || (rest[0] != '"' && rest[0] != '\'')) return false;
    const bool many_lines = rest.size() >= 3 && rest[1] == rest[0] && rest[2] == rest[0];
    quote_ = rest.substr(0, many_lines ? 3 : 1);
    skip(quote_.size());
    if (many_lines) skip(at("\r\n") ? 2 : at("\n") ? 1 : 0);
    while (at_ < toml_.size()) {
      // As many as two quotes may stand before the three that end the string.
      if (at(quote_) && (!many_lines || toml_.substr(at_ + 3, 1) != quote_.substr(0, 1))) {
        positions_.push_back(place_);
        return true;
      }
      if (quote_[0] == '"' && toml_[at_] == '\\') {
        if (!escape()) return false;
      } else {
        take(1);
      }
    }
    return false;
  }

  std::string text;
  [[nodiscard]] std::vector<SourcePosition> positions() && { return std::move(positions_); }

 private:
  [[nodiscard]] bool at(std::string_view what) const {
    return toml_.substr(at_, what.size()) == what;
  }

  // Past `bytes` of the file.
  void skip(std::size_t bytes) {
    for (; bytes > 0 && at_ < toml_.size(); --bytes, ++at_) {
      if (toml_[at_] == '\n') {
        ++place_.line;
        place_.column = 1;
      } else if (at_ + 1 >= toml_.size() || !continues_character(toml_[at_ + 1])) {
        ++place_.column;
      }
    }
  }
  void take(std::size_t bytes) {
    for (; bytes > 0; --bytes) {
      text += toml_[at_];
      positions_.push_back(place_);
      skip(1);
    }
  }
  // `spelled` bytes of the file stand for `meant`.
  bool put(std::string_view meant, std::size_t spelled) {
    text += meant;
    positions_.insert(positions_.end(), meant.size(), place_);
    skip(spelled);
    return true;
  }

  bool escape() {
    const char kind = at_ + 1 < toml_.size() ? toml_[at_ + 1] : '\0';
    constexpr std::string_view kNames = "btnfr\"\\";
    constexpr std::string_view kMeant = "\b\t\n\f\r\"\\";
    if (const std::size_t i = kNames.find(kind); i != std::string_view::npos) {
      return put(kMeant.substr(i, 1), 2);
    }
    if (kind == 'u' || kind == 'U') return code_point(kind == 'u' ? 4 : 8);
    // A backslash at a line's end takes all space up to the next character with it.
    skip(1);
    while (at_ < toml_.size() &&
           std::string_view(" \t\r\n").find(toml_[at_]) != std::string::npos) {
      skip(1);
    }
    return true;
  }

  bool code_point(std::size_t digits) {
    std::uint32_t code = 0;
    const std::string_view hex = toml_.substr(std::min(at_ + 2, toml_.size()), digits);
    std::from_chars(hex.data(), hex.data() + hex.size(), code, 16);
    std::string utf8;
    const auto add = [&](std::uint32_t byte) { utf8 += static_cast<char>(byte); };
    if (code < 0x80) {
      add(code);
    } else if (code < 0x800) {
      add(0xC0 | (code >> 6));
      add(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
      add(0xE0 | (code >> 12));
      add(0x80 | ((code >> 6) & 0x3F));
      add(0x80 | (code & 0x3F));
    } else {
      add(0xF0 | (code >> 18));
      add(0x80 | ((code >> 12) & 0x3F));
      add(0x80 | ((code >> 6) & 0x3F));
      add(0x80 | (code & 0x3F));
    }
    return put(utf8, 2 + digits);
  }

  std::string_view toml_;
  std::string_view quote_;
  std::size_t at_ = 0;
  SourcePosition place_;
  std::vector<SourcePosition> positions_;
};

}  // namespace

SourceText::SourceText(std::string text, std::vector<SourcePosition> positions)
    : text_(std::move(text)), positions_(std::move(positions)) {}

SourcePosition SourceText::position(std::size_t offset) const {
  if (positions_.empty()) return {};
  return positions_[std::min(offset, positions_.size() - 1)];
}

SourceText locate(std::string_view toml, SourcePosition begin, std::string value) {
  StringReader reader(toml, begin);
  if (reader.read() && reader.text == value) {
    return {std::move(value), std::move(reader).positions()};
  }
  return {std::move(value), {begin}};
}

}  // namespace hub::rules
