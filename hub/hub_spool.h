#pragma once

#include <filesystem>
#include <memory>

#include "hub/config.h"
#include "storage/spool.h"

namespace hub {

// Where the spool of a Config is, whether it is there or not.
[[nodiscard]] std::filesystem::path spool_directory(const Config& config);

// Opens the spool if the Config wants one, or if an earlier run has left one; says in the log what
// was found in it. Throws std::runtime_error with a sentence for a person.
[[nodiscard]] std::unique_ptr<storage::Spool> open_spool(const Config& config);

}  // namespace hub
