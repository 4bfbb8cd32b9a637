#include <algorithm>

#include "rules/payload/json_text.h"
#include "rules/sql/function_library.h"
#include "rules/sql/operators.h"

namespace hub::rules::sql::library {
namespace {

constexpr std::string_view kSpaces = " \t\r\n\f\v";

bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// The byte at which character number `n` (from 0) begins; the text's size when it has fewer.
std::size_t character_offset(std::string_view text, std::int64_t n) {
  std::size_t at = 0;
  while (n > 0 && at < text.size()) {
    ++at;
    while (at < text.size() && continues_character(text[at])) ++at;
    --n;
  }
  return at;
}

template <class Change>
Value each_byte(Runtime& runtime, std::string_view text, Change change) {
  TextArena::Builder out(runtime.arena());
  for (const char c : text) out.append(change(c));
  return Value::text(out.finish());
}

}  // namespace

Value concat(Runtime& runtime, Args args) {
  TextArena::Builder out(runtime.arena());
  for (const Value& arg : args) {
    if (!arg.is_null()) append_plain(out, arg);
  }
  return Value::text(out.finish());
}

Value lower(Runtime& runtime, Args args) {
  return each_byte(runtime, args[0].as_text(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  });
}

Value upper(Runtime& runtime, Args args) {
  return each_byte(runtime, args[0].as_text(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c;
  });
}

Value ltrim(Runtime&, Args args) {
  const std::string_view text = args[0].as_text();
  return Value::text(text.substr(std::min(text.find_first_not_of(kSpaces), text.size())));
}

Value rtrim(Runtime&, Args args) {
  const std::string_view text = args[0].as_text();
  return Value::text(text.substr(0, text.find_last_not_of(kSpaces) + 1));
}

Value trim(Runtime& runtime, Args args) {
  const Value left = ltrim(runtime, args);
  return rtrim(runtime, Args(&left, 1));
}

Value strlen(Runtime&, Args args) {
  const std::string_view text = args[0].as_text();
  return Value::integer(
      std::count_if(text.begin(), text.end(), [](char c) { return !continues_character(c); }));
}

Value substr(Runtime& runtime, Args args) {
  const std::string_view text = args[0].as_text();
  const std::int64_t start = args[1].as_integer();
  if (start < 0 || (args.size() == 3 && args[2].as_integer() < 0)) {
    return runtime.fail("substr() counts from 0: start and length cannot be negative");
  }
  const std::string_view rest = text.substr(character_offset(text, start));
  if (args.size() < 3) return Value::text(rest);
  return Value::text(rest.substr(0, character_offset(rest, args[2].as_integer())));
}

Value replace(Runtime& runtime, Args args) {
  const std::string_view text = args[0].as_text();
  const std::string_view old = args[1].as_text();
  if (old.empty()) return args[0];
  TextArena::Builder out(runtime.arena());
  std::size_t at = 0;
  for (std::size_t found; (found = text.find(old, at)) != std::string_view::npos;) {
    out.append(text.substr(at, found - at));
    out.append(args[2].as_text());
    at = found + old.size();
  }
  out.append(text.substr(at));
  return Value::text(out.finish());
}

Value topic(Runtime& runtime, Args args) {
  std::int64_t level = args[0].as_integer();
  if (level < 1) return runtime.fail("the levels of a topic count from 1");
  std::string_view rest = runtime.message().topic;
  for (; level > 1; --level) {
    const std::size_t slash = rest.find('/');
    if (slash == std::string_view::npos) return Value::null();
    rest.remove_prefix(slash + 1);
  }
  return Value::text(rest.substr(0, rest.find('/')));
}

}  // namespace hub::rules::sql::library
