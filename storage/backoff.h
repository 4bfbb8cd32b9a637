#pragma once

#include <chrono>
#include <random>

namespace hub::storage {

// How long to wait after so many failures in a row: `first`, doubled with each up to `last`, and
// shortened at random by up to a half, so that not all come again at once.
[[nodiscard]] std::chrono::microseconds pause_after(unsigned failures,
                                                    std::chrono::milliseconds first,
                                                    std::chrono::milliseconds last,
                                                    std::minstd_rand& random);

}  // namespace hub::storage
