#include "storage/backoff.h"

#include <algorithm>

namespace hub::storage {

std::chrono::microseconds pause_after(unsigned failures, std::chrono::milliseconds first,
                                      std::chrono::milliseconds last, std::minstd_rand& random) {
  const unsigned doublings = std::min(failures > 0 ? failures - 1 : 0, 20u);
  const auto longest = std::min(last, first * (1u << doublings));
  std::uniform_real_distribution<double> part(0.5, 1.0);
  return std::chrono::duration_cast<std::chrono::microseconds>(longest * part(random));
}

}  // namespace hub::storage
