#include "tests/support/postgres_fixture.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace hub::test {
namespace {

TEST(PostgresFixture, GivesEachTestAnEmptyDatabase) {
  TestDatabase one;
  TestDatabase other;
  one.query("CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1, NULL), (2, 'x')");
  EXPECT_EQ(one.query("SELECT * FROM t ORDER BY a"), "1|NULL\n2|x");
  EXPECT_THROW(other.query("SELECT * FROM t"), std::runtime_error);
}

TEST(PostgresFixture, KeepsCommittedRowsOverACrash) {
  TestDatabase database;
  database.query("CREATE TABLE t (a int); INSERT INTO t VALUES (7)");
  PostgresServer::instance().crash();
  EXPECT_THROW(database.query("SELECT 1"), std::runtime_error);
  PostgresServer::instance().start();
  EXPECT_EQ(database.count("SELECT a FROM t"), 7);
}

}  // namespace
}  // namespace hub::test
