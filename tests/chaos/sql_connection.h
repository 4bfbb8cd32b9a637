#pragma once

#include <memory>
#include <string>
#include <vector>

struct pg_conn;

namespace hub::test {

// A blocking connection for questions to a database. Throws std::runtime_error with the server's
// words.
class SqlConnection {
 public:
  using Rows = std::vector<std::vector<std::string>>;

  explicit SqlConnection(const std::string& url);

  // The rows of the last of the statements; NULL is empty.
  Rows query(const std::string& sql);

 private:
  struct Closer {
    void operator()(pg_conn* connection) const noexcept;
  };
  std::unique_ptr<pg_conn, Closer> connection_;
};

}  // namespace hub::test
