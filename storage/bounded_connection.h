#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <pqxx/pqxx>
#include <stop_token>
#include <string>
#include <thread>

#include "base/file_descriptor.h"
#include "storage/database_error.h"

namespace hub::storage {

// A connection for what is not on the path of a message: blocking, and bounded, whatever the
// database does. For the .cpp files that use libpqxx.
class BoundedConnection {
 public:
  // Connects, bounded by connect_timeout (connection_parameters.h). Throws DatabaseError, or
  // std::runtime_error when the URL cannot be read.
  BoundedConnection(const std::string& url, Patience patience);

  // Returns body(pqxx::connection&), which has patience.answer for all that it asks. Throws
  // DatabaseError; the connection is of no use after one that is not the server's own answer.
  template <class Body>
  auto run(Body body) {
    const Watch watch(connection_->sock(), patience_, cut_);
    try {
      return body(*connection_);
    } catch (const pqxx::sql_error& error) {
      throw fault(error.what(), error.sqlstate());
    } catch (const pqxx::failure& error) {
      throw fault(error.what(), "");
    }
  }

 private:
  // Ends the connection when the answer is overdue, or no longer wanted: the call that waits for it
  // fails.
  class Watch {
   public:
    // cut: set when it does.
    Watch(int socket, const Patience& patience, std::atomic<bool>& cut);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

   private:
    void wait(const std::stop_token& roused, std::chrono::milliseconds answer);

    FileDescriptor socket_;  // a duplicate: libpq may close its own, and the number be another's
    std::atomic<bool> answered_ = false;
    std::atomic<bool>& cut_;
    std::jthread thread_;
    std::stop_callback<std::function<void()>> relay_;
  };

  [[nodiscard]] DatabaseError fault(const char* what, const std::string& sqlstate) const;

  Patience patience_;
  std::unique_ptr<pqxx::connection> connection_;
  // By a watch. What is overdue may be the ROLLBACK of a body that has returned, of which libpqxx
  // only warns: whoever asks next hears of it.
  std::atomic<bool> cut_ = false;
};

}  // namespace hub::storage
