#pragma once

#include <cstdint>
#include <string_view>

#include "storage/byte_buffer.h"
#include "storage/pg_handles.h"

namespace hub::storage {

// PostgreSQL's fixed numbers of types whose arrays are parameters (pg_type.dat).
inline constexpr Oid kText = 25;
inline constexpr Oid kTextArray = 1009;
inline constexpr Oid kBytea = 17;
inline constexpr Oid kByteaArray = 1001;
inline constexpr Oid kInt8 = 20;
inline constexpr Oid kInt8Array = 1016;

// Writes an array of one dimension, in binary form: `count` calls of add_element() follow, or
// of add_null() where there may be NULLs.
inline void begin_array(ByteBuffer& out, Oid element, std::size_t count, bool nulls = false) {
  out.clear();
  out.put(std::int32_t{1});  // dimensions
  out.put(static_cast<std::int32_t>(nulls));
  out.put(static_cast<std::uint32_t>(element));
  out.put(static_cast<std::int32_t>(count));
  out.put(std::int32_t{1});  // the first index
}

inline void add_element(ByteBuffer& out, std::string_view bytes) {
  out.put(static_cast<std::int32_t>(bytes.size()));
  out.append(bytes);
}

inline void add_null(ByteBuffer& out) { out.put(std::int32_t{-1}); }

inline void add_element(ByteBuffer& out, std::int64_t value) {
  out.put(std::int32_t{8});
  out.put(value);
}

}  // namespace hub::storage
