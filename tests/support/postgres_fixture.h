#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace hub::test {

// A private PostgreSQL for one test program: its own cluster in a fresh temporary directory, on a
// Unix socket only, as an unprivileged user when the tests run as root, without fsync. Dies with
// the program however that ends, and its directory is removed then.
//
// Call it from the program's main thread (the server is told when the thread that started it ends).
class PostgresServer {
 public:
  // Started at the first call; stopped when the program ends. Throws std::runtime_error.
  static PostgresServer& instance();

  // "postgresql:///<database>?host=<socket directory>&user=hub": a superuser, no password.
  [[nodiscard]] std::string url(std::string_view database = "postgres",
                                std::string_view user = "hub") const;

  // The path of the Unix socket, for a proxy before it.
  [[nodiscard]] std::string socket_path() const;

  void stop();   // clients are disconnected, transactions under way are rolled back
  void crash();  // at once, as by a power cut; start() recovers
  void start();  // returns when the server accepts connections; no effect while it runs
  [[nodiscard]] bool running() const { return pid_ > 0; }
  [[nodiscard]] int starts() const { return starts_; }  // how often it was started

  // The server's log so far.
  [[nodiscard]] std::string log() const;

  ~PostgresServer();
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

 private:
  PostgresServer();
  void end(int signal);

  std::string directory_;  // holds data/, log and the socket
  int guard_ = -1;         // a pipe; when it closes, a waiting process removes directory_
  pid_t pid_ = -1;
  int starts_ = 0;
};

// A fresh, empty database on PostgresServer::instance(), dropped at the end of the scope; the
// server is started for that if a test has left it stopped.
class TestDatabase {
 public:
  TestDatabase();
  ~TestDatabase();
  TestDatabase(const TestDatabase&) = delete;
  TestDatabase& operator=(const TestDatabase&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& url() const { return url_; }
  [[nodiscard]] std::string url_as(std::string_view user) const;

  // Runs SQL (several statements may be given) on a connection of its own, and returns the rows of
  // the last one: columns joined by '|', rows by '\n', NULL as "NULL". Throws std::runtime_error
  // with the server's message. Connects anew when the server was restarted.
  std::string query(std::string_view sql);

  // query() as a number.
  std::int64_t count(std::string_view sql);

 private:
  struct Connection;
  std::string name_;
  std::string url_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace hub::test
