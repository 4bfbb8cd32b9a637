#include "pipeline/device_accounts.h"

#include <algorithm>
#include <utility>

namespace hub {

void DeviceAccounts::Device::mark_fresh() {
  is_fresh_ = true;
  accounts_->use(*this);
  accounts_->fresh_.push_back(this);
}

DeviceAccounts::Device::Line& DeviceAccounts::Device::other_line(std::size_t rule) {
  if (first_.rule == kNoRule) {
    first_.rule = rule;
    return first_;
  }
  for (Line& line : others_) {
    if (line.rule == rule) return line;
  }
  return others_.emplace_back(Line{rule, {}, {}});
}

DeviceAccounts::Device& DeviceAccounts::look_up(std::string_view id) {
  if (id.empty()) return others_;
  if (const auto found = devices_.find(id); found != devices_.end()) {
    last_ = found->second.get();
    return *last_;
  }
  if (devices_.size() >= max_devices_) forget_clean();
  if (devices_.size() >= max_devices_) return others_;
  auto device = std::make_unique<Device>(std::string(id), *this);
  last_ = device.get();
  devices_.emplace(last_->id_, std::move(device));
  return *last_;
}

// Only when that makes much room, as it looks at every device.
void DeviceAccounts::forget_clean() {
  if (devices_.size() - std::min(used_, devices_.size()) < max_devices_ / 4) return;
  last_ = nullptr;
  erase_if(devices_, [](const auto& entry) { return entry.second->uses_ == 0; });
}

void DeviceAccounts::journal(const Take& take) {
  for (Device* const device : fresh_) {
    device->for_each_line([&](Device::Line& line) {
      if (line.fresh.empty()) return;
      take(device->id_, line.rule, line.fresh);
      line.unbooked.add(line.fresh);
      line.fresh.clear();
    });
    device->is_fresh_ = false;
    if (device->is_unbooked_) {
      release(*device);
    } else {
      device->is_unbooked_ = true;
      unbooked_.push_back(device);
    }
  }
  fresh_.clear();
}

void DeviceAccounts::make_fresh(std::size_t rule) {
  for (Device* const device : unbooked_) {
    device->for_each_line([&](Device::Line& line) {
      if (line.rule != rule || line.unbooked.empty()) return;
      device->fresh(rule).add(std::exchange(line.unbooked, {}));
    });
  }
  // An empty line of a round is nothing to book.
  for (RoundLine& line : round_) {
    if (line.rule != rule || line.numbers.empty()) continue;
    line.device->fresh(rule).add(std::exchange(line.numbers, {}));
  }
}

bool DeviceAccounts::Device::has(std::size_t rule) const {
  const auto has_it = [rule](const Line& line) {
    return line.rule == rule && !(line.fresh.empty() && line.unbooked.empty());
  };
  return has_it(first_) || std::any_of(others_.begin(), others_.end(), has_it);
}

bool DeviceAccounts::has(std::size_t rule) const {
  const auto device_has = [rule](const Device* device) { return device->has(rule); };
  return std::any_of(fresh_.begin(), fresh_.end(), device_has) ||
         std::any_of(unbooked_.begin(), unbooked_.end(), device_has) ||
         std::any_of(round_.begin(), round_.end(), [rule](const RoundLine& line) {
           return line.rule == rule && !line.numbers.empty();
         });
}

void DeviceAccounts::begin_round() {
  for (Device* const device : unbooked_) {
    device->for_each_line([&](Device::Line& line) {
      if (line.unbooked.empty()) return;
      use(*device);
      round_.push_back({device, line.rule, std::exchange(line.unbooked, {})});
    });
    device->is_unbooked_ = false;
    release(*device);
  }
  unbooked_.clear();
}

void DeviceAccounts::take(std::size_t max_lines, const Take& take) {
  for (; !round_.empty() && max_lines > 0; --max_lines) {
    const RoundLine& line = round_.back();
    take(line.device->id_, line.rule, line.numbers);
    release(*line.device);
    round_.pop_back();
  }
}

}  // namespace hub
