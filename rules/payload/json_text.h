#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "rules/payload/json_scanner.h"
#include "rules/payload/text_arena.h"

namespace hub::rules {

// Helpers for text that is known to be valid JSON, because JsonScanner has passed it.

// What stands between the quotes of a JSON string, unescaped into the arena.
struct Unescaped {
  JsonUnfit unfit = JsonUnfit::nothing;  // nul_escape or lone_surrogate: there is no such text
  std::string_view text;
};
[[nodiscard]] Unescaped unescape(std::string_view inside, TextArena& arena);

// The same into `out`, which has room for inside.size() bytes; returns the text's size. What has
// no UTF-8 form makes `unfit` say so, and stands as U+FFFD.
std::size_t unescape(std::string_view inside, char* out, JsonUnfit& unfit);

// A finished field as a value; a string with escapes is unescaped into the arena.
struct JsonValue {
  enum class Problem : std::uint8_t { none, nul_escape, lone_surrogate, number_too_big };
  Problem problem = Problem::none;
  Value value;
};
// A sentence's end for a person: "has \u0000, which …".
[[nodiscard]] std::string_view to_string(JsonValue::Problem problem);
[[nodiscard]] std::string_view to_string(JsonUnfit unfit);
[[nodiscard]] JsonValue value_of(const Field& field, TextArena& arena);

// The same for any valid JSON text. kPayloadPadding bytes past its end must be readable.
[[nodiscard]] JsonValue value_of_json(std::string_view json, TextArena& arena);

// The last member of that name of a JSON object, or the element of that number (from 1) of a JSON
// array, as JSON text; nullopt when there is none.
[[nodiscard]] std::optional<std::string_view> json_member(std::string_view json,
                                                          std::string_view name, TextArena& arena);
[[nodiscard]] std::optional<std::string_view> json_element(std::string_view json,
                                                           std::int64_t number);

// Whether jsonb can store a valid JSON text, and if not, why.
[[nodiscard]] JsonUnfit unfit_for_jsonb(std::string_view json);

// The end of the JSON value that begins at text[begin].
[[nodiscard]] std::size_t json_value_end(std::string_view text, std::size_t begin);

// Appends a value as JSON: text quoted and escaped, NULL as null.
void append_json(TextArena::Builder& out, const Value& value);

// Appends a value as a person would write it: text as it is, NULL as null.
void append_plain(TextArena::Builder& out, const Value& value);

}  // namespace hub::rules
