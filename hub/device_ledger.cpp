#include "hub/device_ledger.h"

#include <algorithm>

namespace hub {

void DeviceLedger::Device::mark_dirty() {
  dirty_ = true;
  ledger_->dirty_.push_back(this);
}

DeviceLedger::Line& DeviceLedger::Device::other_line(std::size_t rule) {
  if (first_.rule == kNoRule) {
    first_.rule = rule;
    return first_;
  }
  for (Line& line : others_) {
    if (line.rule == rule) return line;
  }
  return others_.emplace_back(Line{rule, {}, {}});
}

DeviceLedger::Device& DeviceLedger::look_up(std::string_view id) {
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
void DeviceLedger::forget_clean() {
  if (devices_.size() - std::min(dirty(), devices_.size()) < max_devices_ / 4) return;
  last_ = nullptr;
  erase_if(devices_, [](const auto& entry) { return !entry.second->dirty_; });
}

void DeviceLedger::begin_round() {
  round_.insert(round_.end(), dirty_.begin(), dirty_.end());
  dirty_.clear();
}

void DeviceLedger::take(std::size_t max_lines, const Take& take) {
  std::size_t taken = 0;
  while (!round_.empty() && taken < max_lines) {
    Device& device = *round_.back();
    round_.pop_back();
    device.dirty_ = false;
    const auto empty = [&](Line& line) {
      if (line.clean()) return;
      take(device.id_, line);
      line.counts = {};
      line.seen.clear();
      ++taken;
    };
    empty(device.first_);
    for (Line& line : device.others_) empty(line);
  }
}

}  // namespace hub
