#include "storage/durability.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/support/postgres_fixture.h"

namespace hub::storage {
namespace {

using test::TestDatabase;

// The test server itself has no fsync.
constexpr auto kNoFsync =
    "the database has fsync = off: what was acknowledged may be lost when its machine loses power";

TEST(Durability, SaysWhatTheDatabaseDoesNotKeep) {
  TestDatabase database;
  EXPECT_EQ(durability_concerns(database.url(), {}), std::vector<std::string>{kNoFsync});
  database.query(fmt::format("ALTER DATABASE {} SET synchronous_commit = off", database.name()));
  EXPECT_EQ(durability_concerns(database.url(), {}),
            (std::vector<std::string>{kNoFsync,
                                      "the database has synchronous_commit = off: what was "
                                      "acknowledged may be lost when it crashes"}));
}

TEST(Durability, SaysWhichTableACrashEmpties) {
  TestDatabase database;
  database.query(
      "CREATE TABLE kept (n int); CREATE UNLOGGED TABLE \"it's\" (n int); CREATE UNLOGGED TABLE "
      "other (n int)");
  EXPECT_EQ(durability_concerns(database.url(), {{"public", "kept"}, {"public", "it's"}}),
            (std::vector<std::string>{kNoFsync,
                                      "table \"it's\" is UNLOGGED: what was acknowledged is lost "
                                      "when the database crashes"}));
}

}  // namespace
}  // namespace hub::storage
