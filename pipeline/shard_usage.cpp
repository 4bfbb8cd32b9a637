#include "pipeline/shard_usage.h"

#include <chrono>
#include <utility>

namespace hub {

std::int32_t bill_day(Timestamp now) noexcept {
  const auto local = now + std::chrono::hours{8};
  return static_cast<std::int32_t>(
      std::chrono::floor<std::chrono::days>(local).time_since_epoch().count());
}

ShardUsage::ShardUsage(std::string meter, DayAllowance* allowance, Timestamp now)
    : name_(std::move(meter)), allowance_(allowance) {
  begin_turn(now);
}

void ShardUsage::begin_turn(Timestamp now) {
  today_ = bill_day(now);
  meter_.set_day(today_);
  spend();
}

// Before a turn, as other shards have spent and midnight may have passed; after it, for these.
void ShardUsage::spend() {
  if (allowance_ != nullptr) meter_.set_left(allowance_->spend(today_, meter_.counted_since()));
}

void ShardUsage::book(storage::BatchWriter& writer) {
  meter_.take_messages(
      [&](std::int64_t units, std::int64_t messages) { writer.add_usage(name_, units, messages); });
  meter_.take_devices(kDevicesPerBatch, [&](std::int32_t day, const std::string& device) {
    writer.add_active_device(name_, day, device);
  });
}

}  // namespace hub
