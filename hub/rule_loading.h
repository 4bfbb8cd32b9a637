#pragma once

#include <filesystem>

#include "rules/rule_set.h"
#include "storage/catalogue.h"

namespace hub {

// The rules of a file or directory, or the built-in ones when `path` is empty, compiled against the
// live database. Every problem of every file is in the result. Throws std::runtime_error when the
// database fails.
[[nodiscard]] rules::Compilation load_and_compile(const std::filesystem::path& path,
                                                  const storage::PgCatalogue& catalogue);

}  // namespace hub
