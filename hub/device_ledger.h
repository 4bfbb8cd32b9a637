#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/text_hash.h"
#include "hub/seen_numbers.h"
#include "storage/ledger.h"

namespace hub {

// What became of the messages of each device, for each rule, since it was last taken away to be
// booked. A shard's; bounded: devices beyond the bound share the line of the empty id.
class DeviceLedger {
 public:
  struct Line {
    std::size_t rule;
    storage::LedgerCounts counts;
    SeenNumbers seen;

    [[nodiscard]] bool clean() const noexcept {
      return counts == storage::LedgerCounts{} && seen.empty();
    }
  };

  // A device; valid until the next call of find().
  class Device {
   public:
    Device(std::string id, DeviceLedger& ledger) : id_(std::move(id)), ledger_(&ledger) {}

    [[nodiscard]] const std::string& id() const noexcept { return id_; }
    // Its line for that rule, to be changed: the device counts as dirty.
    Line& line(std::size_t rule) {
      if (!dirty_) mark_dirty();
      return first_.rule == rule ? first_ : other_line(rule);
    }

   private:
    friend class DeviceLedger;
    static constexpr std::size_t kNoRule = ~std::size_t{0};
    void mark_dirty();
    Line& other_line(std::size_t rule);

    std::string id_;
    DeviceLedger* ledger_;
    bool dirty_ = false;           // in one of the ledger's two lists
    Line first_{kNoRule, {}, {}};  // beside the id, as most devices have one rule
    std::vector<Line> others_;
  };

  explicit DeviceLedger(std::size_t max_devices) : max_devices_(max_devices), others_({}, *this) {}
  DeviceLedger(const DeviceLedger&) = delete;
  DeviceLedger& operator=(const DeviceLedger&) = delete;

  // The steady state allocates nothing: a device is remembered when its lines have been taken.
  Device& find(std::string_view id) {
    if (last_ != nullptr && last_->id_ == id) return *last_;
    return look_up(id);
  }

  // Devices that have something to book.
  [[nodiscard]] std::size_t dirty() const noexcept { return dirty_.size() + round_.size(); }
  [[nodiscard]] std::size_t size() const noexcept { return devices_.size(); }

  // Booking goes in rounds, so that each device has its turn: a round takes the devices that are
  // dirty when it begins.
  void begin_round();
  [[nodiscard]] bool round_done() const noexcept { return round_.empty(); }
  // Hands over the lines of some devices of the round, about `max_lines` of them, and empties them.
  using Take = std::function<void(const std::string& device, const Line& line)>;
  void take(std::size_t max_lines, const Take& take);

 private:
  struct Hash {
    using is_avalanching = void;
    std::size_t operator()(std::string_view text) const {
      return broker::hash_text(text, 0x6465'7669);
    }
  };

  Device& look_up(std::string_view id);
  void forget_clean();

  std::size_t max_devices_;
  boost::unordered_flat_map<std::string_view, std::unique_ptr<Device>, Hash> devices_;
  std::vector<Device*> dirty_;  // and not in the round
  std::vector<Device*> round_;
  Device others_;
  Device* last_ = nullptr;
};

}  // namespace hub
