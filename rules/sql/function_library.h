#pragma once

#include <span>

#include "base/value.h"
#include "rules/sql/runtime.h"

// The functions that rules/sql/functions.cpp lists. Each gets arguments whose kinds have been
// checked against its parameters, and reports what it cannot do by Runtime::fail().
namespace hub::rules::sql::library {

using Args = std::span<const Value>;

// function_library_text.cpp
Value concat(Runtime& runtime, Args args);
Value lower(Runtime& runtime, Args args);
Value upper(Runtime& runtime, Args args);
Value trim(Runtime& runtime, Args args);
Value ltrim(Runtime& runtime, Args args);
Value rtrim(Runtime& runtime, Args args);
Value strlen(Runtime& runtime, Args args);
Value substr(Runtime& runtime, Args args);
Value replace(Runtime& runtime, Args args);
Value topic(Runtime& runtime, Args args);

// function_library_number.cpp
Value abs(Runtime& runtime, Args args);
Value ceil(Runtime& runtime, Args args);
Value floor(Runtime& runtime, Args args);
Value round(Runtime& runtime, Args args);
Value sqrt(Runtime& runtime, Args args);
Value power(Runtime& runtime, Args args);
Value exp(Runtime& runtime, Args args);
Value log(Runtime& runtime, Args args);
Value log10(Runtime& runtime, Args args);
Value mod(Runtime& runtime, Args args);
Value greatest(Runtime& runtime, Args args);
Value least(Runtime& runtime, Args args);

// function_library_type.cpp
Value to_bool(Runtime& runtime, Args args);
Value to_int(Runtime& runtime, Args args);
Value to_float(Runtime& runtime, Args args);
Value to_str(Runtime& runtime, Args args);
Value is_array(Runtime& runtime, Args args);
Value is_bool(Runtime& runtime, Args args);
Value is_int(Runtime& runtime, Args args);
Value is_map(Runtime& runtime, Args args);
Value is_num(Runtime& runtime, Args args);
Value is_str(Runtime& runtime, Args args);

// function_library_json.cpp
Value json_decode(Runtime& runtime, Args args);
Value json_encode(Runtime& runtime, Args args);
Value map_get(Runtime& runtime, Args args);
Value nth(Runtime& runtime, Args args);
Value split(Runtime& runtime, Args args);

// function_library_time.cpp
Value now_timestamp(Runtime& runtime, Args args);
Value unix_ts_to_rfc3339(Runtime& runtime, Args args);
Value rfc3339_to_unix_ts(Runtime& runtime, Args args);

}  // namespace hub::rules::sql::library
