#pragma once

#include <string_view>

#include "storage/byte_buffer.h"

namespace hub::storage {

// Why PostgreSQL's jsonb cannot hold a JSON text that is otherwise valid, as the end of a sentence;
// nullptr when it can: \u0000, half a surrogate pair, a number past the range of numeric.
[[nodiscard]] const char* jsonb_problem(std::string_view json) noexcept;

// Appends a JSON string. `text` is UTF-8 without NUL.
void append_json_string(std::string_view text, ByteBuffer& out);

}  // namespace hub::storage
