#pragma once

#include "base/message.h"

namespace hub::instances {

// The time, for whatever depends on it. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual Timestamp now() const = 0;
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] Timestamp now() const override {
    return std::chrono::time_point_cast<Timestamp::duration>(std::chrono::system_clock::now());
  }
};

}  // namespace hub::instances
