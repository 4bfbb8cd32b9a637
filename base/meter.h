#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hub {

// Counts what the devices of a shard send and get, for a bill. The shard counts; its sink, which
// owns the meter, takes the counts away to make them durable. Every call on the shard's thread.
class Meter {
 public:
  static constexpr std::size_t kBytesPerUnit = 512;
  // Devices that wait to be taken; more are counted when they show themselves again.
  static constexpr std::size_t kMaxDevices = 100'000;

  // One message, from a device or to one.
  void message(std::size_t payload_bytes) {
    const auto units =
        payload_bytes <= kBytesPerUnit ? 1 : (payload_bytes + kBytesPerUnit - 1) / kBytesPerUnit;
    ++(units < small_.size() ? small_[units] : large_[static_cast<std::int64_t>(units)]);
    any_message_ = true;
    --left_;
  }

  // A device that shows itself. `counted_on` is its session's: the day on which that was counted.
  void device(std::string_view client_id, std::int32_t& counted_on) {
    if (counted_on != day_) new_device(client_id, counted_on);
  }

  // Days since 1970 by the calendar of the bills; to be told before the day's first message.
  void set_day(std::int32_t day) noexcept { day_ = day; }

  // How many more messages the day's devices may send and get, as far as the owner knows; what is
  // counted afterwards is taken off. At first there is no bound.
  void set_left(std::int64_t left) noexcept { told_left_ = left_ = left; }
  [[nodiscard]] std::int64_t counted_since() const noexcept { return told_left_ - left_; }
  [[nodiscard]] bool used_up() const noexcept { return left_ <= 0; }

  [[nodiscard]] bool dirty() const noexcept { return any_message_ || any_device(); }
  [[nodiscard]] bool any_device() const noexcept { return !devices_.empty(); }

  // Calls f(units of a message, number of messages) for each size, and begins anew.
  template <class F>
  void take_messages(F f) {
    if (!any_message_) return;
    for (std::size_t units = 1; units < small_.size(); ++units)
      if (const auto messages = std::exchange(small_[units], 0))
        f(static_cast<std::int64_t>(units), messages);
    for (const auto& [units, messages] : large_) f(units, messages);
    large_.clear();
    any_message_ = false;
  }
  // Calls f(day, client id) for some devices, at most so many, and forgets these.
  template <class F>
  void take_devices(std::size_t most, F f) {
    for (; most > 0 && !devices_.empty(); --most) {
      f(devices_.back().first, devices_.back().second);
      devices_.pop_back();
    }
  }

 private:
  void new_device(std::string_view client_id, std::int32_t& counted_on) {
    // The control plane's own clients are nobody's devices.
    if (devices_.size() >= kMaxDevices || client_id.starts_with('$')) return;
    counted_on = day_;
    devices_.emplace_back(day_, client_id);
  }

  std::array<std::int64_t, 65> small_{};        // messages, by units
  std::map<std::int64_t, std::int64_t> large_;  // the same for more
  bool any_message_ = false;
  std::int64_t told_left_ = std::numeric_limits<std::int64_t>::max();
  std::int64_t left_ = told_left_;
  std::int32_t day_ = 0;
  std::vector<std::pair<std::int32_t, std::string>> devices_;
};

}  // namespace hub
