#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>

#include "storage/data_directory.h"
#include "storage/postgres_installation.h"
#include "storage/supervised_process.h"

namespace hub::storage {

// The files of the private PostgreSQL cluster of a data directory, and the programs run on them:
//
//   postgres/         the cluster
//   postgres.log      what its server says; older lines in postgres.log.1
//   socket/           the server's Unix socket, unless the path is too long or closed to the server
//   database-url      how to reach it, for `iothub db url`
//
// PostgreSQL refuses to run as root. When this process is root, the cluster belongs to, and runs
// as, the user that owns the data directory, or else `iothub` or `postgres`.
//
// Who may connect: the role iothub (a superuser) is for root, the cluster's user and whoever
// started this process (by sudo, too), as the kernel names them (peer authentication); any role
// that is made later logs in with its password. There is no TCP port.
//
// Not thread-safe. Functions throw EmbeddedDatabaseError or std::system_error.
class EmbeddedCluster {
 public:
  explicit EmbeddedCluster(const DataDirectory& directory);

  // Makes the cluster when there is none: all of it, or nothing if the process dies meanwhile.
  void create_if_missing();

  // Writes the configuration, the access rules and the socket directory anew.
  void configure();

  // A server that still runs on these files: of an earlier process, about to stop.
  [[nodiscard]] std::optional<pid_t> previous_server() const;

  // Forgets an earlier server that died without a farewell. Only when previous_server() is empty.
  void forget_previous_server();

  // After a clean stop: leaves nothing outside of the data directory.
  void tidy_up() noexcept;

  // Starts the server, as a child that stops fast and clean when the calling thread ends.
  [[nodiscard]] ChildProcess start_server();

  // Whether the server of that process accepts connections.
  [[nodiscard]] bool is_ready(pid_t server) const;

  // What was logged since the last program was started: its end, for an error message.
  [[nodiscard]] std::string log_since_start() const;

  // Moves the log away when it has become too long.
  void bound_log();

  [[nodiscard]] const std::string& url() const noexcept { return url_; }
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return cluster_; }
  [[nodiscard]] const std::filesystem::path& log_path() const noexcept { return log_; }

 private:
  [[nodiscard]] ChildProcess run(const std::filesystem::path& cluster, const std::string& program,
                                 std::vector<std::string> arguments, int input, int death_signal);
  void run_to_end(const std::filesystem::path& cluster, const std::string& program,
                  std::vector<std::string> arguments, const std::string& input);
  void choose_socket_directory();
  void write_file(const std::filesystem::path& path, const std::string& text, mode_t mode = 0600);

  std::filesystem::path data_directory_;
  std::filesystem::path cluster_;
  std::filesystem::path log_;
  std::filesystem::path socket_directory_;
  std::string url_;
  ProcessUser user_;
  PostgresInstallation installation_;
  std::uintmax_t log_start_ = 0;
};

// The URL of the data directory's embedded database, if it has been started there before.
[[nodiscard]] std::optional<std::string> embedded_database_url(
    const std::filesystem::path& data_directory);

}  // namespace hub::storage
