#include "storage/bounded_connection.h"

#include <gtest/gtest.h>

#include <thread>

#include "storage/migration.h"
#include "storage/trouble.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/postgres_fixture.h"
#include "tests/support/program.h"

namespace hub::storage {
namespace {

using namespace std::chrono_literals;

class BoundedConnectionTest : public testing::Test {
 protected:
  static auto run(const char* sql) {
    return [sql](pqxx::connection& connection) {
      pqxx::work transaction(connection);
      const std::string value = transaction.exec(sql)[0][0].c_str();
      transaction.commit();
      return value;
    };
  }
  template <class Call>
  static DatabaseFault fault_of(Call call) {
    try {
      call();
    } catch (const DatabaseError& error) {
      return error.fault();
    }
    ADD_FAILURE() << "it did not fail";
    return {};
  }

  test::TestDatabase database;
};

TEST_F(BoundedConnectionTest, ReturnsWhatIsAnsweredInTime) {
  BoundedConnection connection(database.url(), {});
  EXPECT_EQ(connection.run(run("SELECT 1")), "1");
  EXPECT_EQ(connection.run(run("SELECT 2")), "2");
}

TEST_F(BoundedConnectionTest, GivesUpAnAnswerThatIsOverdueAndEveryOneAfterIt) {
  BoundedConnection connection(database.url(), {.answer = 200ms});
  const auto fault = fault_of([&] { connection.run(run("SELECT pg_sleep(600)")); });
  EXPECT_EQ(fault.message, "the database did not answer for 0.2 s");
  EXPECT_EQ(trouble_of(fault), Trouble::silent);
  (void)fault_of([&] { connection.run(run("SELECT 1")); });
}

TEST_F(BoundedConnectionTest, SaysThatARollbackWasOverdueToWhoAsksNext) {
  test::FaultProxy proxy{test::PostgresServer::instance().socket_path()};
  BoundedConnection connection(proxy.url(database.name()), {.answer = 1s});
  connection.run([&](pqxx::connection& c) {
    const pqxx::read_transaction transaction(c);
    proxy.stall();
  });
  const auto fault = fault_of([&] { connection.run(run("SELECT 1")); });
  EXPECT_EQ(trouble_of(fault), Trouble::silent) << fault.message;
}

TEST_F(BoundedConnectionTest, SaysWhatTheServerAnswered) {
  BoundedConnection connection(database.url(), {});
  EXPECT_EQ(fault_of([&] { connection.run(run("SELECT 1 / 0")); }).sqlstate, "22012");
  EXPECT_EQ(connection.run(run("SELECT 1")), "1");
}

TEST_F(BoundedConnectionTest, IsLeftByAStop) {
  std::stop_source stop;
  BoundedConnection connection(database.url(), {.answer = 10min, .stop = stop.get_token()});
  std::jthread stopping([&] {
    EXPECT_TRUE(test::eventually([&] {
      return database.count(
                 "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(700%' "
                 "AND state = 'active'") == 1;
    }));
    stop.request_stop();
  });
  (void)fault_of([&] { connection.run(run("SELECT pg_sleep(700)")); });
  // One that is made later, too.
  EXPECT_THROW(maintain(database.url(), {.answer = 10min, .stop = stop.get_token()}),
               DatabaseError);
}

TEST_F(BoundedConnectionTest, GivesUpADatabaseThatAcceptsAndIsSilent) {
  test::FaultProxy proxy{test::PostgresServer::instance().socket_path()};
  proxy.black_hole();
  const auto url = proxy.url(database.name()) + "&connect_timeout=2";
  EXPECT_EQ(trouble_of(fault_of([&] { (void)schema_problem(url); })), Trouble::silent);
  EXPECT_EQ(trouble_of(fault_of([&] { apply_migrations(url); })), Trouble::silent);
}

TEST_F(BoundedConnectionTest, DoesNotTakeAUrlThatCannotBeReadForAnOutage) {
  try {
    const BoundedConnection connection("postgresql://[", {});
    FAIL() << "it was read";
  } catch (const DatabaseError& error) {
    FAIL() << error.what();
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("cannot be read"), std::string::npos);
  }
}

}  // namespace
}  // namespace hub::storage
