#pragma once

#include <cstdint>
#include <string_view>

namespace hub::storage {

// What to do when the database refuses a batch.
enum class Reaction : std::uint8_t {
  // A row is to blame: find it, and put it into the dead-letter table.
  // 22 data, 23 constraint, 44 check option, 54 limit exceeded, P0 and whatever else a trigger
  // raises, 38 and 39 external routine.
  bad_row,

  // The table is to blame, and with it every row for it: they become dead letters.
  // 42 no such table or column, no permission; 3D, 3F, 28, 0A, 0L, 0P, 55000, HV.
  target_fault,

  // Nobody is to blame and it will pass: the same batch again after a pause.
  // 40 deadlock and serialization, 53 out of memory, disk or connections, 55 lock not available,
  // 57 shutdown, 58 I/O, 08 connection, 25 read-only.
  retry,

  // A row may be to blame: search for it, but believe it only when it fails alone time and again.
  // 57014 statement_timeout, XX internal error.
  suspect_row,
};

[[nodiscard]] Reaction reaction_to(std::string_view sqlstate) noexcept;

// True when the connection is no longer of use although it lives: the server has become read-only
// (it was the primary before a failover), or is shutting down.
[[nodiscard]] bool spoils_connection(std::string_view sqlstate) noexcept;

}  // namespace hub::storage
