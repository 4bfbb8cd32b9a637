#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "storage/supervised_process.h"
#include "tests/support/temporary_directory.h"

namespace hub::test {

// PgBouncer in transaction mode before a PostgreSQL, on a Unix socket: no session state lasts from
// one transaction to the next, as each may be in another server connection.
class PgBouncer {
 public:
  // server_socket_directory: where PostgreSQL's socket is.
  explicit PgBouncer(const std::string& server_socket_directory);

  [[nodiscard]] std::string url(std::string_view database) const;
  // Of its administration console.
  [[nodiscard]] std::string console_url() const { return url("pgbouncer"); }

  void start();  // returns when it accepts connections; no effect while it runs
  void stop();   // at once: clients and servers are disconnected

 private:
  TemporaryDirectory directory_;
  std::optional<storage::ProcessUser> user_;
  std::optional<storage::ChildProcess> program_;
};

}  // namespace hub::test
