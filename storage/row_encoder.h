#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/table_schema.h"
#include "base/value.h"
#include "storage/byte_buffer.h"

namespace hub::storage {

// Encodes rows as `COPY … FROM STDIN (FORMAT binary)` takes them: int16 number of fields, then for
// each an int32 length (-1: NULL) and the bytes of the type's binary form.
//
// What a column takes:
//   boolean                 a boolean
//   smallint … bigint       an integer in range, a number without a fraction
//   real, double precision  an integer, a number (not past the range of real)
//   numeric                 an integer, a finite number (its shortest decimal), decimal text
//   text, varchar, char     any value, as text; valid UTF-8 without NUL, not too long
//   json, jsonb             any value: JSON as it is, the others as a JSON scalar
//   timestamptz, timestamp  milliseconds since 1970 UTC; RFC 3339 text (with its offset for
//                           timestamptz; timestamp takes UTC, or a text without offset as it is)
//   date                    milliseconds, RFC 3339 text: the day by UTC; "2024-02-29"
//   uuid                    text, with or without hyphens
//   bytea                   text: its bytes
// and NULL where the column allows it. Nothing else is converted.
//
// Immutable; any thread. Allocates only when `out` must grow, or to say what is wrong.
class RowEncoder {
 public:
  explicit RowEncoder(std::vector<Column> columns);

  // Appends one row; values.size() == columns().size(). On failure leaves `out` as it was and says
  // what is wrong: `column "t" (smallint) cannot take 70000: out of range`.
  [[nodiscard]] std::optional<std::string> append(std::span<const Value> values,
                                                  ByteBuffer& out) const;

  [[nodiscard]] std::span<const Column> columns() const noexcept { return columns_; }

 private:
  std::vector<Column> columns_;
};

}  // namespace hub::storage
