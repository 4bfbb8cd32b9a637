#pragma once

#include <chrono>
#include <stdexcept>
#include <stop_token>
#include <utility>

#include "storage/batch_writer.h"

namespace hub::storage {

// How long a blocking call waits for the database, beside connect_timeout.
struct Patience {
  std::chrono::milliseconds answer{30'000};  // for an answer
  std::stop_token stop{};                    // and no longer once this is asked for
};

// What the database answered a blocking call with, or what became of the way to it; one line.
class DatabaseError : public std::runtime_error {
 public:
  explicit DatabaseError(DatabaseFault fault)
      : std::runtime_error(fault.message), fault_(std::move(fault)) {}
  [[nodiscard]] const DatabaseFault& fault() const noexcept { return fault_; }

 private:
  DatabaseFault fault_;
};

}  // namespace hub::storage
