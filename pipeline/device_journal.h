#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/device_accounts.h"
#include "storage/byte_buffer.h"

namespace hub {

// Writes the lines of one journal entry: those of iothub.device_journal, for which see sql/. A
// shard's; keeps its room.
class DeviceJournal {
 public:
  // At most once for each rule and device in an entry.
  void add(std::size_t rule, std::string_view device, const DeviceNumbers& numbers);
  // The counts with the other sign.
  void take_away(std::size_t rule, std::string_view device, const storage::LedgerCounts& counts);

  // The entry so far, and begins the next; empty when nothing was added.
  [[nodiscard]] std::string take(const std::function<std::string_view(std::size_t rule)>& name_of);

 private:
  storage::ByteBuffer& begin_line(std::size_t rule, std::string_view device);

  std::vector<storage::ByteBuffer> lines_;  // by rule
  storage::ByteBuffer entry_;
};

}  // namespace hub
