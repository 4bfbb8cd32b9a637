#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "storage/database_error.h"

namespace hub::storage {

struct DayUsage {
  std::int32_t day = 0;       // since 1970, in UTC+8: as it is there, by the database's clock
  std::int64_t messages = 0;  // from and to devices
};

// What that meter has counted on the present day. Blocking; for start-up.
//
// Throws DatabaseError.
[[nodiscard]] DayUsage usage_today(const std::string& url, std::string_view meter,
                                   const Patience& patience = {});

}  // namespace hub::storage
