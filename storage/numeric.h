#pragma once

#include <cstdint>
#include <string_view>

#include "storage/byte_buffer.h"

namespace hub::storage {

enum class NumericResult : std::uint8_t {
  appended,
  not_a_number,  // the text is no decimal number
  out_of_range,  // it does not fit precision and scale, or any numeric
};

// Appends a decimal number ("-12.50", "1e-3", "NaN" is none) as the binary form of numeric, without
// the length before it: int16 digit groups, int16 weight, uint16 sign, uint16 display scale, then
// the groups of four decimal digits, the most significant first.
//
// precision 0: any numeric. Otherwise the number is rounded to `scale` digits after the point, half
// away from zero, as PostgreSQL does, and must then fit. Leaves `out` as it was unless appended.
[[nodiscard]] NumericResult append_numeric(std::string_view decimal, unsigned precision,
                                           unsigned scale, ByteBuffer& out);

}  // namespace hub::storage
