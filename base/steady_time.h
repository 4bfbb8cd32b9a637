#pragma once

#include <chrono>

namespace hub {

// Time that only goes forward, for deadlines and waits.
using SteadyTime = std::chrono::steady_clock::time_point;

}  // namespace hub
