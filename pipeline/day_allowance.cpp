#include "pipeline/day_allowance.h"

#include "base/log.h"

namespace hub {

DayAllowance::DayAllowance(std::int64_t cap, std::int32_t day, std::int64_t used)
    : cap_(cap), day_(day), used_(used) {}

std::int64_t DayAllowance::spend(std::int32_t day, std::int64_t messages) {
  const std::lock_guard lock{mutex_};
  // A turn that began before midnight counts for the new day; a clock that is set back begins anew.
  if (day > day_ || day < day_ - 1) {
    day_ = day;
    used_ = 0;
    told_ = false;
  }
  used_ += messages;
  if (used_ >= cap_ && !told_) {
    told_ = true;
    log::warning(
        "the {} messages of this day (max_daily_messages) are used up: what devices publish is "
        "refused until midnight, UTC+8",
        cap_);
  }
  return cap_ - used_;
}

}  // namespace hub
