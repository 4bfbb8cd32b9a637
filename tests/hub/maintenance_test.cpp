#include "hub/maintenance.h"

#include <gtest/gtest.h>

#include <memory>

#include "storage/migration.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/postgres_fixture.h"
#include "tests/support/program.h"

namespace hub {
namespace {

using namespace std::chrono_literals;

class MaintenanceTest : public testing::Test {
 protected:
  MaintenanceTest() { storage::apply_migrations(database.url()); }

  std::int64_t partitions() {
    return database.count(
        "SELECT count(*) FROM pg_inherits WHERE inhparent = 'telemetry'::regclass");
  }
  // On a connection of its own: within a transaction the view does not change.
  [[nodiscard]] bool waits_for_a_lock() const {
    return test::psql(database.url(),
                      "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT "
                      "iothub.maintain()%' AND wait_event_type = 'Lock' AND datname = "
                      "current_database()") == "1";
  }

  test::TestDatabase database;
};

TEST_F(MaintenanceTest, IsDoneAtOnce) {
  const auto before = partitions();
  const Maintenance maintenance(database.url());
  maintenance.wait_for_first(1min);
  EXPECT_GT(partitions(), before);
}

TEST_F(MaintenanceTest, IsDoneAgainAfterTheInterval) {
  const Maintenance maintenance(database.url(), 1ms);
  maintenance.wait_for_first(1min);
  database.query("DROP TABLE " + database.query("SELECT inhrelid::regclass FROM pg_inherits WHERE "
                                                "inhparent = 'telemetry'::regclass AND "
                                                "inhrelid <> 'telemetry_default'::regclass "
                                                "ORDER BY inhrelid DESC LIMIT 1"));
  EXPECT_TRUE(test::eventually([&] { return partitions() == 9; }));
}

TEST_F(MaintenanceTest, IsLeftWhileItHangs) {
  database.query("BEGIN; SELECT pg_advisory_xact_lock(hashtext('iothub.maintain'))");
  {
    const Maintenance maintenance(database.url(), 1ms);
    EXPECT_TRUE(test::eventually([&] { return waits_for_a_lock(); }));
    maintenance.wait_for_first(1ms);
  }
  database.query("COMMIT");
}

TEST_F(MaintenanceTest, IsLeftWhenNothingIsAnswered) {
  test::FaultProxy proxy{test::PostgresServer::instance().socket_path()};
  proxy.black_hole();
  const Maintenance maintenance(proxy.url(database.name()) + "&connect_timeout=2", 1ms);
  maintenance.wait_for_first(1ms);
}

}  // namespace
}  // namespace hub
