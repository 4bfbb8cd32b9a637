#include "storage/bounded_connection.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>

#include <condition_variable>
#include <mutex>
#include <stdexcept>

#include "storage/connection_parameters.h"
#include "storage/pg_handles.h"

// For LeakSanitizer, and unused without it: libpqxx 6.4 loses 2 kB for a connection that breaks
// while a statement is under way.
extern "C" const char* __lsan_default_suppressions() { return "leak:libpqxx-6.4"; }

namespace hub::storage {

BoundedConnection::Watch::Watch(int socket, const Patience& patience, std::atomic<bool>& cut)
    : socket_(::fcntl(socket, F_DUPFD_CLOEXEC, 0)),
      cut_(cut),
      thread_([this, answer = patience.answer](const std::stop_token& roused) {
        wait(roused, answer);
      }),
      relay_(patience.stop, [this] { thread_.request_stop(); }) {}

BoundedConnection::Watch::~Watch() { answered_ = true; }

void BoundedConnection::Watch::wait(const std::stop_token& roused,
                                    std::chrono::milliseconds answer) {
  std::mutex mutex;
  std::condition_variable_any time;
  std::unique_lock lock(mutex);
  time.wait_for(lock, roused, answer, [] { return false; });
  if (answered_) return;
  cut_ = true;
  ::shutdown(socket_.get(), SHUT_RDWR);
}

BoundedConnection::BoundedConnection(const std::string& url, Patience patience)
    : patience_(std::move(patience)) {
  try {
    connection_ = std::make_unique<pqxx::connection>(to_string(connection_parameters(url)));
  } catch (const std::invalid_argument& error) {
    throw std::runtime_error(one_line(error.what()));
  } catch (const pqxx::failure& error) {
    throw DatabaseError({"", one_line(error.what())});
  }
  // libpqxx would connect anew where BEGIN fails, and nobody would watch that connection.
  connection_->inhibit_reactivation(true);
}

DatabaseError BoundedConnection::fault(const char* what, const std::string& sqlstate) const {
  if (!cut_) return DatabaseError({sqlstate, one_line(what)});
  if (patience_.stop.stop_requested()) return DatabaseError({"", "the hub is stopping"});
  return DatabaseError({"", fmt::format("the database did not answer for {} s",
                                        std::chrono::duration<double>(patience_.answer).count())});
}

}  // namespace hub::storage
