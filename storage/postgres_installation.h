#pragma once

#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace hub::storage {

// No database can be made or run here; what() says why and what to do.
class EmbeddedDatabaseError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The programs of one PostgreSQL server on this machine.
struct PostgresInstallation {
  std::filesystem::path programs;  // the directory with initdb and postgres
  int major_version = 0;

  // Everything that is installed, the newest first: /usr/lib/postgresql, the PATH, pg_config.
  static std::vector<PostgresInstallation> find_all();
};

inline constexpr int kOldestPostgres = 14;

// The installation for a cluster: of the cluster's own version, or the newest for a new one
// (`cluster_version` unset). Throws EmbeddedDatabaseError when there is none, and says what to
// install.
[[nodiscard]] PostgresInstallation choose_installation(
    const std::vector<PostgresInstallation>& installed, std::optional<int> cluster_version,
    const std::filesystem::path& cluster);

}  // namespace hub::storage
