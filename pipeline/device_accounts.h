#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/text_hash.h"
#include "pipeline/seen_numbers.h"
#include "storage/ledger.h"

namespace hub {

// What became of messages, and which of their numbers have arrived.
struct DeviceNumbers {
  storage::LedgerCounts counts;
  SeenNumbers seen;

  [[nodiscard]] bool empty() const noexcept {
    return counts == storage::LedgerCounts{} && seen.empty();
  }
  void add(const DeviceNumbers& others) {
    counts += others.counts;
    seen.add(others.seen);
  }
  void clear() {
    counts = {};
    seen.clear();
  }
};

// What became of the messages of each device, for each rule. Numbers are fresh until a batch has
// put them into the journal, and then wait to be booked, in rounds. A shard's; bounded: devices
// beyond the bound share the line of the empty id.
class DeviceAccounts {
 public:
  // A device; valid until the next call of find().
  class Device {
   public:
    Device(std::string id, DeviceAccounts& accounts) : id_(std::move(id)), accounts_(&accounts) {}

    [[nodiscard]] const std::string& id() const noexcept { return id_; }
    // Its fresh numbers for that rule, to be added to.
    DeviceNumbers& fresh(std::size_t rule) {
      if (!is_fresh_) mark_fresh();
      return (first_.rule == rule ? first_ : other_line(rule)).fresh;
    }

   private:
    friend class DeviceAccounts;
    static constexpr std::size_t kNoRule = ~std::size_t{0};
    struct Line {
      std::size_t rule;
      DeviceNumbers fresh;
      DeviceNumbers unbooked;  // without those that are fresh or in the round
    };
    void mark_fresh();
    Line& other_line(std::size_t rule);
    template <class F>
    void for_each_line(F f) {
      f(first_);
      for (Line& line : others_) f(line);
    }
    [[nodiscard]] bool has(std::size_t rule) const;

    std::string id_;
    DeviceAccounts* accounts_;
    bool is_fresh_ = false;        // in fresh_
    bool is_unbooked_ = false;     // in unbooked_
    std::uint32_t uses_ = 0;       // in these lists and the round
    Line first_{kNoRule, {}, {}};  // beside the id, as most devices have one rule
    std::vector<Line> others_;
  };

  explicit DeviceAccounts(std::size_t max_devices)
      : max_devices_(max_devices), others_({}, *this) {}
  DeviceAccounts(const DeviceAccounts&) = delete;
  DeviceAccounts& operator=(const DeviceAccounts&) = delete;

  // The steady state allocates nothing: a device is remembered when its numbers have been booked.
  Device& find(std::string_view id) {
    if (last_ != nullptr && last_->id_ == id) return *last_;
    return look_up(id);
  }

  // Devices that have something to book, without those of the round.
  [[nodiscard]] std::size_t waiting() const noexcept { return fresh_.size() + unbooked_.size(); }
  [[nodiscard]] bool clean() const noexcept { return waiting() == 0 && round_done(); }
  [[nodiscard]] std::size_t size() const noexcept { return devices_.size(); }
  // Whether something of that rule is to be booked. Looks at each device that waits.
  [[nodiscard]] bool has(std::size_t rule) const;

  using Take =
      std::function<void(const std::string& device, std::size_t rule, const DeviceNumbers&)>;
  // Hands over all that is fresh; from then on it waits to be booked.
  void journal(const Take& take);
  // All of that rule that waits to be booked is fresh again, to be handed over.
  void make_fresh(std::size_t rule);

  // A round books what waits when it begins: so each device has its turn.
  void begin_round();
  [[nodiscard]] bool round_done() const noexcept { return round_.empty(); }
  // Hands over the numbers of the round, of `max_lines` devices and rules at most.
  void take(std::size_t max_lines, const Take& take);

 private:
  struct RoundLine {
    Device* device;
    std::size_t rule;
    DeviceNumbers numbers;
  };
  struct Hash {
    using is_avalanching = void;
    std::size_t operator()(std::string_view text) const { return hash_text(text, 0x6465'7669); }
  };

  Device& look_up(std::string_view id);
  void forget_clean();
  void use(Device& device) noexcept {
    if (device.uses_++ == 0) ++used_;
  }
  void release(Device& device) noexcept {
    if (--device.uses_ == 0) --used_;
  }

  std::size_t max_devices_;
  boost::unordered_flat_map<std::string_view, std::unique_ptr<Device>, Hash> devices_;
  std::vector<Device*> fresh_;
  std::vector<Device*> unbooked_;
  std::vector<RoundLine> round_;
  std::size_t used_ = 0;  // devices in any of these
  Device others_;
  Device* last_ = nullptr;
};

}  // namespace hub
