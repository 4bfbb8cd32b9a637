#include "tests/support/pgbouncer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <libpq-fe.h>
#include <unistd.h>

#include <stdexcept>

#include "tests/support/database_server.h"

namespace hub::test {

namespace {

constexpr std::chrono::seconds kAnswerBound{30};

}  // namespace

PgBouncer::PgBouncer(const std::string& server_socket_directory) : user_(server_user()) {
  directory_.write("users", "\"hub\" \"\"\n");
  directory_.write("pgbouncer.ini",
                   fmt::format("[databases]\n* = host={0}\n[pgbouncer]\n"
                               "unix_socket_dir = {1}\nlisten_port = 5432\nauth_type = trust\n"
                               "auth_file = {1}/users\nadmin_users = hub\n"
                               "pool_mode = transaction\ndefault_pool_size = 5\n"
                               "server_login_retry = 1\n",
                               server_socket_directory, directory_.path().string()));
  if (user_ && ::chown(directory_.path().c_str(), user_->uid, user_->gid) != 0) {
    throw std::runtime_error("cannot give a directory away");
  }
  start();
}

std::string PgBouncer::url(std::string_view database) const {
  return fmt::format("postgresql:///{}?host={}&user=hub", database, directory_.path().string());
}

void PgBouncer::start() {
  if (program_) return;
  storage::ProcessSpec spec;
  spec.arguments = {"/usr/sbin/pgbouncer", (directory_.path() / "pgbouncer.ini").string()};
  spec.environment = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"};
  spec.user = user_;
  const int log_file =
      ::open((directory_.path() / "log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  spec.output = log_file;
  program_ = storage::ChildProcess::start(spec);
  ::close(log_file);
  const auto until = storage::ChildProcess::Clock::now() + kAnswerBound;
  while (PQping(console_url().c_str()) != PQPING_OK) {
    if (program_->wait_until(storage::ChildProcess::Clock::now() + std::chrono::milliseconds(10)) ||
        storage::ChildProcess::Clock::now() > until) {
      throw std::runtime_error("PgBouncer did not start:\n" + read_file(directory_.path() / "log"));
    }
  }
}

void PgBouncer::stop() {
  if (!program_) return;
  program_->signal(SIGTERM);  // at once, as its manual says
  if (!program_->wait_until(storage::ChildProcess::Clock::now() + kAnswerBound)) {
    throw std::runtime_error("PgBouncer did not stop");
  }
  program_.reset();
}

}  // namespace hub::test
