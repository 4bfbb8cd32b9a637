#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "hub/hub_status.h"
#include "storage/ledger.h"

namespace hub {

// What a running hub adds to the ledger in the database: what is not booked yet.
struct UnbookedLedger {
  struct Rule {
    storage::LedgerCounts counts;  // neither committed nor dead_lettered: those are pending
    std::int64_t pending = 0;
  };
  std::map<std::string, Rule> rules;
  // Of what is pending: acknowledged from the spool, and not in the database yet.
  std::uint64_t spooled_messages = 0;
  std::uint64_t spooled_bytes = 0;
  // The batches that are booked, as in storage::LedgerSnapshot::batches.
  std::map<std::pair<std::string, std::uint32_t>, std::uint64_t> batches;
};

// The answer to the question "ledger", and back. Parsing throws std::runtime_error.
[[nodiscard]] std::string write_unbooked(const HubReport& report);
[[nodiscard]] UnbookedLedger parse_unbooked(std::string_view answer);

}  // namespace hub
