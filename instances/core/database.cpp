#include "instances/core/database.h"

#include <fmt/format.h>

#include <pqxx/pqxx>

#include "instances/core/calendar.h"
#include "instances/core/errc.h"
#include "instances/core/schema.h"

namespace hub::instances {
namespace {

constexpr int kAttempts = 5;
constexpr std::int64_t kOnlyOneLock = 0x696f746875626d63;  // of pg_advisory_lock

}  // namespace

struct Database::Session {
  explicit Session(const std::string& url) : connection(url) {
    pqxx::nontransaction setup{connection};
    setup.exec0("SET TimeZone = 'UTC'");
    setup.exec0("SET DateStyle = 'ISO'");
    setup.exec0("SET search_path = manage, public");
    setup.exec0("SET client_min_messages = warning");
  }
  pqxx::connection connection;
};

Database::Database(std::string url) : url_(std::move(url)) {}
Database::~Database() = default;

std::unique_ptr<Database::Session> Database::take() {
  {
    const std::lock_guard lock{mutex_};
    if (!idle_.empty()) {
      auto session = std::move(idle_.back());
      idle_.pop_back();
      return session;
    }
  }
  return std::make_unique<Session>(url_);
}

void Database::give_back(std::unique_ptr<Session> session) {
  const std::lock_guard lock{mutex_};
  idle_.push_back(std::move(session));
}

void Database::run(const std::function<void(Tx&)>& work) {
  for (int attempt = 1;; ++attempt) {
    std::unique_ptr<Session> session;
    bool committing = false;
    try {
      session = take();
      {
        pqxx::work tx{session->connection};
        work(tx);
        committing = true;
        tx.commit();
      }
      give_back(std::move(session));
      return;
    } catch (const pqxx::in_doubt_error&) {
      throw Refusal(Errc::Unavailable,
                    "The connection broke while the change was being committed: it may or may not "
                    "have been made. Repeat the request with the same Idempotency-Key.");
    } catch (const pqxx::broken_connection&) {
      if (attempt >= 2 || committing)
        throw Refusal(Errc::Unavailable,
                      "The control plane's database cannot be reached. Try again later.");
      const std::lock_guard lock{mutex_};
      idle_.clear();  // they are likely broken, too
    } catch (const pqxx::sql_error& error) {
      if (!session) throw;
      give_back(std::move(session));
      const bool repeatable = error.sqlstate() == "40001" || error.sqlstate() == "40P01";
      if (!repeatable || attempt >= kAttempts) throw;
    } catch (...) {
      if (session) give_back(std::move(session));
      throw;
    }
  }
}

void Database::migrate() {
  auto session = std::make_unique<Session>(url_);
  pqxx::work tx{session->connection};
  tx.exec_params("SELECT pg_advisory_xact_lock($1)", kOnlyOneLock + 1);
  tx.exec0("CREATE SCHEMA IF NOT EXISTS manage");
  tx.exec0("CREATE TABLE IF NOT EXISTS manage.migration (version integer PRIMARY KEY)");
  const auto have =
      tx.exec1("SELECT coalesce(max(version), 0) FROM manage.migration")[0].as<std::size_t>();
  const auto scripts = schema_scripts();
  if (have > scripts.size())
    throw std::runtime_error(
        fmt::format("the control plane's schema is of version {}, this program knows {} at most: "
                    "run the newer program",
                    have, scripts.size()));
  for (std::size_t i = have; i < scripts.size(); ++i) {
    tx.exec0(std::string(scripts[i]));
    tx.exec_params0("INSERT INTO manage.migration VALUES ($1)", i + 1);
  }
  tx.commit();
}

bool Database::try_become_only_one() {
  auto session = std::make_unique<Session>(url_);
  pqxx::nontransaction query{session->connection};
  const bool locked =
      query.exec_params1("SELECT pg_try_advisory_lock($1)", kOnlyOneLock)[0].as<bool>();
  if (!locked) return false;
  lock_holder_ = std::move(session);
  return true;
}

std::string sql(Timestamp time) { return to_iso8601(time); }

}  // namespace hub::instances
