#pragma once

#include <optional>
#include <string_view>

#include "base/durable_change.h"
#include "storage/byte_buffer.h"

namespace hub::storage {

// What is kept of a session in the one row that iothub.session_state has of it, and in the records
// of the spool, beside its client id:
//
//   1 byte   form, 1
//   4 bytes  session expiry interval, seconds; not 0
//   4 bytes  number of subscriptions, each: 4 bytes identifier, 1 byte options, 2 bytes length of
//            the filter, the filter
//   4 bytes  number of packet ids, each 2 bytes; not 0
// All numbers big-endian. The options are those of MQTT 5.0 section 3.8.3.1.
//
// Databases and spools of earlier hubs have it: another form gets another number.

// Requires what SessionKept says of its members, and filters of 65,535 bytes at most.
void append_session_row(ByteBuffer& out, const SessionKept& session);

// Empty for bytes that append_session_row() does not make, whatever they are. Copies what it needs.
[[nodiscard]] std::optional<StoredSession> read_session_row(std::string_view client_id,
                                                            std::string_view row);

}  // namespace hub::storage
