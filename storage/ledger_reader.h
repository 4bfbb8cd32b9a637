#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "storage/ledger.h"

namespace hub::storage {

// What the ledger in the database says, at one moment.
struct LedgerSnapshot {
  struct Rule {
    LedgerCounts counts;
    LedgerRows rows;
  };
  std::map<std::string, Rule> rules;
  // The last committed batch (iothub.writer) of each writer: hub and shard.
  std::map<std::pair<std::string, std::uint32_t>, std::uint64_t> batches;
};

struct DeviceAccount {
  std::string rule;
  std::string device;
  LedgerCounts counts;
};

// Sequence numbers of a device that have not arrived.
struct DeviceGaps {
  std::string rule;
  std::string device;
  std::int64_t first = 0;  // the lowest and the highest that have arrived
  std::int64_t last = 0;
  std::vector<std::pair<std::int64_t, std::int64_t>> missing;  // first and last of each gap
  std::int64_t given_up = 0;  // numbers in older gaps that are not listed any more
};

// Which part of the ledger is wanted; everything without.
struct LedgerFilter {
  std::optional<std::string> rule;
  std::optional<std::string> device;
};

// Each throws std::runtime_error when the database fails.
[[nodiscard]] LedgerSnapshot read_ledger(const std::string& url, const LedgerFilter& filter);
// By rule, then device.
[[nodiscard]] std::vector<DeviceAccount> read_device_ledger(const std::string& url,
                                                            const LedgerFilter& filter);
// Those of devices that have gaps.
[[nodiscard]] std::vector<DeviceGaps> read_gaps(const std::string& url, const LedgerFilter& filter);

}  // namespace hub::storage
