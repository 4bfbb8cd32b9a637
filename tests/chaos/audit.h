#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/chaos/fleet.h"
#include "tests/chaos/sql_connection.h"

namespace hub::test {

// What the messages of a round, or of several, have come to.
struct Account {
  std::uint64_t messages = 0;
  std::uint64_t acknowledged = 0;  // of QoS 1 and 2
  std::uint64_t resends = 0;       // PUBLISH packets beyond the first of a message
  std::uint64_t rows = 0;
  std::uint64_t dead_letters = 0;
  std::uint64_t qos0_lost = 0;         // messages of QoS 0 without a trace
  std::uint64_t qos1_repeats = 0;      // rows beyond the first, of messages that were sent again
  std::uint64_t repeats_absorbed = 0;  // resends of QoS 2 and of keyed messages that added no row

  Account& operator+=(const Account& other);
};

// Holds the tables against what the devices know, one row of `violations` for each broken promise:
//
//   each acknowledged message is a row, with its values, in every table that a rule names, or a
//     dead letter where it is a bad one
//   a message of QoS 2 is there once; a keyed one is a row once; one of QoS 1 not more often than
//     it was sent; one of QoS 0 once at most
//   a table that is updated by key has the last message
//   nothing else is in the tables
//
// Requires that the fleet is settled.
[[nodiscard]] Account audit(SqlConnection& database, const Fleet& fleet,
                            std::vector<std::string>& violations);

}  // namespace hub::test
