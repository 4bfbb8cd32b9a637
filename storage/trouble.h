#pragma once

#include <cstdint>
#include <string_view>

#include "storage/batch_writer.h"

namespace hub::storage {

// Why the database takes no batches, as far as it makes a difference for whoever mends it.
enum class Trouble : std::uint8_t {
  unreachable,         // no connection, or it broke: stopped, killed, restarting, the network
  ended,               // the server ended the connection: it stops, or was told to
  silent,              // connections are accepted or live, and nothing is answered
  starting_up,         // it is up soon, or shutting down
  read_only,           // a standby, or default_transaction_read_only
  out_of_connections,  // max_connections, or a limit of the role or the database
  out_of_disk,
  out_of_memory,
  refused_login,    // password, pg_hba.conf, no such role or database
  not_permitted,    // a permission on the hub's own tables
  not_initialised,  // the hub's schema is missing or older
  batch_refused,    // one batch has to be sent again: deadlock, lock, cancelled by a timeout
  other,
};

// The server's SQLSTATE decides; libpq tells none of an attempt to connect, so that its words, and
// the server's in English, have to do. What they do not tell is `unreachable`.
[[nodiscard]] Trouble trouble_of(const DatabaseFault& fault) noexcept;

// It may end without anybody changing how the hub is set up: waiting is of use.
[[nodiscard]] bool may_pass(Trouble trouble) noexcept;

// What is wrong and what to do, each a clause for a log line: "its disk is full", "free space …".
struct TroubleText {
  std::string_view what;
  std::string_view remedy;
};
[[nodiscard]] TroubleText text_of(Trouble trouble) noexcept;

}  // namespace hub::storage
