#include "instances/core/names.h"

#include <fmt/format.h>

#include <optional>

#include "base/topic.h"
#include "instances/core/errc.h"

namespace hub::instances {
namespace {

// Takes one character off valid UTF-8.
char32_t take_character(std::string_view& text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const std::size_t size = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  char32_t character = size == 1 ? lead : lead & (0xffu >> (size + 1));
  for (std::size_t i = 1; i < size; ++i)
    character = character << 6 | (static_cast<unsigned char>(text[i]) & 0x3f);
  text.remove_prefix(size);
  return character;
}

bool is_name_character(char32_t c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) ||
         (c >= 0x20000 && c <= 0x2ebef);
}

// nullopt when it is not UTF-8.
std::optional<std::size_t> count_characters(std::string_view text) {
  if (!is_valid_utf8_string(text)) return std::nullopt;
  std::size_t count = 0;
  for (; !text.empty(); ++count) take_character(text);
  return count;
}

}  // namespace

void check_name(std::string_view what, std::string_view name, std::size_t min) {
  const auto count = count_characters(name);
  bool good = count && *count >= min && *count <= 32;
  for (auto rest = name; good && !rest.empty();) good = is_name_character(take_character(rest));
  if (good) return;
  throw Refusal(
      Errc::InvalidRequest,
      fmt::format("The name of a {} has {} to 32 characters: Chinese characters, letters, "
                  "digits, '_' and '-'. Choose another one.",
                  what, min));
}

void check_description(std::string_view description) {
  const auto count = count_characters(description);
  if (count && *count <= 256) return;
  throw Refusal(Errc::InvalidRequest, "A description has at most 256 characters. Shorten it.");
}

void check_account_name(std::string_view name) {
  bool good = name.size() >= 3 && name.size() <= 32 && name.front() >= 'a' && name.front() <= 'z';
  for (const char c : name)
    good = good && ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-');
  if (good) return;
  throw Refusal(Errc::InvalidRequest,
                "An account's name has 3 to 32 characters: a to z, 0 to 9 and '-', and begins with "
                "a letter. Choose another one.");
}

}  // namespace hub::instances
