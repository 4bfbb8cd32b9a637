#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/database_error.h"

namespace hub::storage {

// One file of sql/, built into the program.
struct Migration {
  int number;                 // 1, 2, …
  std::string_view name;      // "0001_schema"
  std::string_view sql;       // the file's text
  std::string_view checksum;  // of the text, 16 hexadecimal digits
};

// All migrations of this program, in order.
[[nodiscard]] std::span<const Migration> migrations();

struct MigrationStatus {
  int number;
  std::string name;
  std::optional<std::string> applied_at;  // as PostgreSQL prints it; empty: not applied
  std::string problem;  // empty, or: changed since it was applied, unknown to this program
};

// The migrations of this program and those that the database knows, by number.
// Throws DatabaseError when the database cannot be read.
[[nodiscard]] std::vector<MigrationStatus> migration_status(const std::string& url,
                                                            const Patience& patience = {});

// Applies what is missing, each migration in a transaction of its own, under a lock that makes
// several hubs take turns. Returns the names of those that it applied. Throws std::runtime_error
// when one fails (those before it stay applied) or takes more than ten minutes, or when one has
// changed since it was applied.
std::vector<std::string> apply_migrations(const std::string& url);

// One script for psql that does what apply_migrations() does, and may be run again.
[[nodiscard]] std::string initialisation_script();

// Empty when the database has all that this program needs; otherwise what is missing and the
// command that mends it, as one sentence. `iothub db init …` is named with the URL's password left
// out. Throws DatabaseError when the database cannot be reached.
[[nodiscard]] std::string schema_problem(const std::string& url, const Patience& patience = {});

// What must be done at each start and once a day: makes telemetry's partitions for the days to
// come, forgets writers that are long gone. Returns one line for each thing done, for the log. Does
// nothing unless it can do all of it. Throws DatabaseError.
std::vector<std::string> maintain(const std::string& url, const Patience& patience = {});

}  // namespace hub::storage
