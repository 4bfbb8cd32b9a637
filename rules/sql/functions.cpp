#include "rules/sql/functions.h"

#include <algorithm>

#include "rules/sql/function_library.h"

namespace hub::rules::sql {
namespace {

using enum Type;
constexpr auto kGiveNull = Function::Nulls::give_null;
constexpr auto kPassed = Function::Nulls::are_passed;
constexpr std::size_t kMany = kMaxArguments;

// Sorted by name: find_function() searches by halves.
constexpr Function kFunctions[] = {
    {"abs", "abs(number)", 1, 1, {number}, number, kGiveNull, library::abs},
    {"bool", "bool(value)", 1, 1, {any}, boolean, kGiveNull, library::to_bool},
    {"ceil", "ceil(number)", 1, 1, {number}, number, kGiveNull, library::ceil},
    {"coalesce", "coalesce(value, …)", 1, kMany, {any, any, any}, any, kPassed, nullptr},
    {"concat", "concat(value, …)", 1, kMany, {any, any, any}, text, kPassed, library::concat},
    {"exp", "exp(number)", 1, 1, {number}, number, kGiveNull, library::exp},
    {"float", "float(value)", 1, 1, {any}, number, kGiveNull, library::to_float},
    {"floor", "floor(number)", 1, 1, {number}, number, kGiveNull, library::floor},
    {"greatest", "greatest(value, …)", 1, kMany, {any, any, any}, any, kPassed, library::greatest},
    {"int", "int(value)", 1, 1, {any}, integer, kGiveNull, library::to_int},
    {"is_array", "is_array(value)", 1, 1, {any}, boolean, kPassed, library::is_array},
    {"is_bool", "is_bool(value)", 1, 1, {any}, boolean, kPassed, library::is_bool},
    {"is_int", "is_int(value)", 1, 1, {any}, boolean, kPassed, library::is_int},
    {"is_map", "is_map(value)", 1, 1, {any}, boolean, kPassed, library::is_map},
    {"is_not_null", "is_not_null(value)", 1, 1, {any}, boolean, kPassed, nullptr},
    {"is_null", "is_null(value)", 1, 1, {any}, boolean, kPassed, nullptr},
    {"is_num", "is_num(value)", 1, 1, {any}, boolean, kPassed, library::is_num},
    {"is_str", "is_str(value)", 1, 1, {any}, boolean, kPassed, library::is_str},
    {"json_decode", "json_decode(text)", 1, 1, {text}, any, kGiveNull, library::json_decode},
    {"json_encode", "json_encode(value)", 1, 1, {any}, text, kPassed, library::json_encode},
    {"least", "least(value, …)", 1, kMany, {any, any, any}, any, kPassed, library::least},
    {"log", "log(number)", 1, 1, {number}, number, kGiveNull, library::log},
    {"log10", "log10(number)", 1, 1, {number}, number, kGiveNull, library::log10},
    {"lower", "lower(text)", 1, 1, {text}, text, kGiveNull, library::lower},
    {"ltrim", "ltrim(text)", 1, 1, {text}, text, kGiveNull, library::ltrim},
    {"map_get",
     "map_get(key, json [, default])",
     2,
     3,
     {text, json, any},
     any,
     kPassed,
     library::map_get},
    {"mod",
     "mod(integer, integer)",
     2,
     2,
     {integer, integer, integer},
     integer,
     kGiveNull,
     library::mod},
    {"now_timestamp",
     "now_timestamp([unit])",
     0,
     1,
     {text},
     integer,
     kGiveNull,
     library::now_timestamp},
    {"nth", "nth(n, json)", 2, 2, {integer, json, json}, any, kGiveNull, library::nth},
    {"power",
     "power(number, number)",
     2,
     2,
     {number, number, number},
     number,
     kGiveNull,
     library::power},
    {"replace",
     "replace(text, old, new)",
     3,
     3,
     {text, text, text},
     text,
     kGiveNull,
     library::replace},
    {"rfc3339_to_unix_ts",
     "rfc3339_to_unix_ts(text [, unit])",
     1,
     2,
     {text, text, text},
     integer,
     kGiveNull,
     library::rfc3339_to_unix_ts},
    {"round",
     "round(number [, digits])",
     1,
     2,
     {number, integer, integer},
     number,
     kGiveNull,
     library::round},
    {"rtrim", "rtrim(text)", 1, 1, {text}, text, kGiveNull, library::rtrim},
    {"split", "split(text, separator)", 2, 2, {text, text, text}, json, kGiveNull, library::split},
    {"sqrt", "sqrt(number)", 1, 1, {number}, number, kGiveNull, library::sqrt},
    {"str", "str(value)", 1, 1, {any}, text, kGiveNull, library::to_str},
    {"strlen", "strlen(text)", 1, 1, {text}, integer, kGiveNull, library::strlen},
    {"substr",
     "substr(text, start [, length])",
     2,
     3,
     {text, integer, integer},
     text,
     kGiveNull,
     library::substr},
    {"topic", "topic(level)", 1, 1, {integer}, text, kGiveNull, library::topic},
    {"trim", "trim(text)", 1, 1, {text}, text, kGiveNull, library::trim},
    {"unix_ts_to_rfc3339",
     "unix_ts_to_rfc3339(timestamp [, unit])",
     1,
     2,
     {integer, text, text},
     text,
     kGiveNull,
     library::unix_ts_to_rfc3339},
    {"upper", "upper(text)", 1, 1, {text}, text, kGiveNull, library::upper},
};
static_assert(std::is_sorted(std::begin(kFunctions), std::end(kFunctions),
                             [](const Function& a, const Function& b) { return a.name < b.name; }));

}  // namespace

std::span<const Function> functions() { return kFunctions; }

const Function* find_function(std::string_view name) {
  std::string key(name);
  for (char& c : key) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  const auto* const found = std::lower_bound(
      std::begin(kFunctions), std::end(kFunctions), key,
      [](const Function& function, std::string_view k) { return function.name < k; });
  return found != std::end(kFunctions) && found->name == key ? found : nullptr;
}

}  // namespace hub::rules::sql
