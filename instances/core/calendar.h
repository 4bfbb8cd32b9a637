#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/message.h"

// Bills follow the calendar of UTC+8, which has no daylight saving time.

namespace hub::instances {

using Day = std::chrono::sys_days;  // a calendar day in UTC+8

[[nodiscard]] Day day_of(Timestamp time);
[[nodiscard]] Timestamp start_of(Day day);
// The start of the clock hour that `time` lies in.
[[nodiscard]] Timestamp start_of_hour(Timestamp time);
[[nodiscard]] bool same_month(Day a, Day b);

// When a package of `months` that begins at `start` ends: 23:59:59 of the same day that many
// months later, or of that month's last day when it is shorter.
[[nodiscard]] Timestamp package_end(Timestamp start, int months);

[[nodiscard]] std::string to_string(Day day);          // "2019-04-02"
[[nodiscard]] std::string to_iso8601(Timestamp time);  // UTC, "2019-04-02T08:25:20Z"; with
                                                       // microseconds when it has some
// What PostgreSQL prints for a timestamptz in a session at UTC: "2019-04-02 08:25:20.5+00".
[[nodiscard]] Timestamp parse_sql_timestamp(std::string_view text);

}  // namespace hub::instances
