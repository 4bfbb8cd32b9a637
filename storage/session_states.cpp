#include "storage/session_states.h"

#include <fmt/format.h>

#include <optional>

#include "storage/bounded_connection.h"
#include "storage/session_row.h"

namespace hub::storage {
namespace {

// Raises every writer's link, as claim_writer() does for one, so that iothub.mark_batch() refuses
// what earlier links have yet to deliver. Waits for batches that are running.
constexpr const char* kEndLinks = R"(
  SET LOCAL lock_timeout = '1s';
  WITH w AS (SELECT hub, shard FROM iothub.writer ORDER BY hub, shard FOR UPDATE)
  UPDATE iothub.writer AS earlier SET link = earlier.link + 1
  FROM w WHERE (earlier.hub, earlier.shard) = (w.hub, w.shard))";

// The batches that do not come to an end: their hub is gone, and the server has not noticed.
constexpr const char* kEndStaleBatches =
    "SELECT iothub.end_stale_batches(hub, shard) FROM iothub.writer";

constexpr int kAttempts = 10;

void end_earlier_links(BoundedConnection& database) {
  for (int attempt = 1;; ++attempt) {
    try {
      database.run([](pqxx::connection& connection) {
        pqxx::work transaction(connection);
        transaction.exec(kEndLinks);
        transaction.commit();
      });
      return;
    } catch (const DatabaseError& error) {
      const bool waited = error.fault().sqlstate == "55P03";  // lock_not_available
      if (!waited || attempt == kAttempts) throw;
    }
    database.run([](pqxx::connection& connection) {
      pqxx::nontransaction(connection).exec(kEndStaleBatches);
    });
  }
}

StoredSession session_of(std::string_view client_id, std::string_view row) {
  if (auto known = read_session_row(client_id, row)) return *std::move(known);
  StoredSession unknown;
  unknown.client_id = client_id;
  unknown.unknown_form = true;
  return unknown;
}

}  // namespace

void load_session_states(const std::string& url,
                         const std::function<void(StoredSession session)>& take,
                         const Patience& patience) {
  constexpr int kRowsAtATime = 10'000;
  BoundedConnection database(url, patience);
  end_earlier_links(database);
  std::optional<pqxx::read_transaction> transaction;
  database.run([&](pqxx::connection& connection) {
    transaction.emplace(connection);
    transaction->exec(
        "DECLARE states NO SCROLL CURSOR FOR SELECT client_id, state FROM iothub.session_state");
  });
  const std::string fetch = fmt::format("FETCH {} FROM states", kRowsAtATime);
  for (;;) {
    const pqxx::result rows =
        database.run([&](pqxx::connection&) { return transaction->exec(fetch); });
    if (rows.empty()) break;
    for (const auto& row : rows) {
      const pqxx::binarystring bytes(row[1]);
      take(session_of({row[0].c_str(), row[0].size()},
                      {reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
    }
  }
  database.run([&](pqxx::connection&) { transaction->commit(); });
}

}  // namespace hub::storage
