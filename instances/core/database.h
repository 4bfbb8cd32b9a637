#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "base/message.h"

namespace pqxx {
class transaction_base;
}  // namespace pqxx

namespace hub::instances {

using Tx = pqxx::transaction_base;

// The control plane's own PostgreSQL database: a pool of connections. Thread-safe.
class Database {
 public:
  explicit Database(std::string url);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Brings the schema up to this program's version. Throws when it is newer.
  void migrate();

  // Keeps a second control plane away from this database for as long as this object lives. False
  // when there is one already.
  [[nodiscard]] bool try_become_only_one();

  // Runs `work` in a transaction and commits it; an exception that leaves `work` rolls it back. A
  // transaction that PostgreSQL gave up for the sake of another one, or that lost its connection
  // before the commit was asked for, is run again, so `work` may run more than once.
  // Throws Refusal(Unavailable) when the database cannot be reached.
  void run(const std::function<void(Tx&)>& work);

  template <class F>
  auto transact(F&& work) -> std::invoke_result_t<F, Tx&> {
    using Result = std::invoke_result_t<F, Tx&>;
    if constexpr (std::is_void_v<Result>) {
      run(work);
    } else {
      std::optional<Result> result;
      run([&](Tx& tx) { result.emplace(work(tx)); });
      return std::move(*result);
    }
  }

 private:
  struct Session;  // a connection of libpqxx
  std::unique_ptr<Session> take();
  void give_back(std::unique_ptr<Session> connection);

  std::string url_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Session>> idle_;  // guarded by mutex_
  std::unique_ptr<Session> lock_holder_;
};

// Timestamps as text, the way to and from a timestamptz.
[[nodiscard]] std::string sql(Timestamp time);

}  // namespace hub::instances
