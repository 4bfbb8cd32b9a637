#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/message.h"
#include "base/meter.h"
#include "pipeline/day_allowance.h"
#include "storage/batch_writer.h"

namespace hub {

// Days since 1970 in UTC+8, by which bills go.
[[nodiscard]] std::int32_t bill_day(Timestamp now) noexcept;

// What the bill is made from, on one shard: tells the broker's meter, which counts, what day it is
// and how much of it is left, and gives to the batches what it has counted.
//
// Counts are durable with the batch that book() was called for; a kill loses those of the five
// seconds before. A shard's; every call on its thread.
class ShardUsage {
 public:
  // So many devices are booked by one batch, so that it is not held up.
  static constexpr std::size_t kDevicesPerBatch = 1'000;

  // meter: the name under which usage is booked, not empty. allowance: null when the day has no
  // cap; otherwise that of all shards, which outlives this object.
  ShardUsage(std::string meter, DayAllowance* allowance, Timestamp now);

  // As long-lived as this object.
  [[nodiscard]] Meter& meter() noexcept { return meter_; }

  // Around each turn of the shard's loop.
  void begin_turn(Timestamp now);
  void end_of_turn() { spend(); }

  // Something has not been given to a batch.
  [[nodiscard]] bool dirty() const noexcept { return meter_.dirty(); }
  // Gives a batch that is closing all messages, and some of the devices. The rest goes with those
  // that follow, which are to be asked for until booked_up().
  void book(storage::BatchWriter& writer);
  [[nodiscard]] bool booked_up() const noexcept { return !meter_.any_device(); }

 private:
  void spend();

  const std::string name_;
  DayAllowance* const allowance_;
  Meter meter_;
  std::int32_t today_ = 0;
};

}  // namespace hub
