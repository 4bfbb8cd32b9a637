#include "hub/database_wait.h"

#include <gtest/gtest.h>

#include <vector>

namespace hub {
namespace {

using namespace std::chrono_literals;
using storage::DatabaseError;
using storage::DatabaseFault;
using storage::Patience;

class DatabaseWaitTest : public testing::Test {
 protected:
  // Fails as told, one after the other, and then no more.
  void fail_with(std::vector<DatabaseFault> faults) {
    std::size_t next = 0;
    wait.until_done([&](const Patience& patience) {
      patiences.push_back(patience.answer);
      if (next < faults.size()) throw DatabaseError(faults[next++]);
    });
  }

  std::vector<std::string> lines;
  std::vector<std::chrono::microseconds> pauses;
  std::vector<std::chrono::milliseconds> patiences;
  DatabaseWait wait{"postgresql://db/iot",
                    {.answer = 1s},
                    [this](log::Level, const std::string& line) { lines.push_back(line); },
                    [this](std::chrono::microseconds time) { pauses.push_back(time); }};
  const DatabaseFault refused{"", "connection refused"};
  const DatabaseFault starting{"", "FATAL: the database system is starting up"};
  const DatabaseFault silent{"", "timeout expired"};
};

TEST_F(DatabaseWaitTest, SaysNothingOfADatabaseThatIsThere) {
  fail_with({});
  EXPECT_TRUE(lines.empty());
  EXPECT_TRUE(pauses.empty());
}

TEST_F(DatabaseWaitTest, TellsEachReasonOnceAndTheEnd) {
  fail_with({refused, refused, refused, starting, starting});
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0],
            "waiting for the database postgresql://db/iot: it cannot be reached; see that "
            "PostgreSQL runs and that the way to it is open: connection refused");
  EXPECT_EQ(lines[1],
            "waiting for the database postgresql://db/iot: it is starting or shutting down; "
            "nothing needs to be done if it starts: FATAL: the database system is starting up");
  EXPECT_TRUE(lines[2].starts_with("the database is there after "));
}

TEST_F(DatabaseWaitTest, PausesLongerEachTimeUpToTenSeconds) {
  fail_with(std::vector<DatabaseFault>(20, refused));
  ASSERT_EQ(pauses.size(), 20u);
  EXPECT_LE(pauses.front(), 50ms);
  EXPECT_GE(pauses.back(), 5s);
  EXPECT_LE(pauses.back(), 10s);
}

TEST_F(DatabaseWaitTest, IsMorePatientWithADatabaseThatWasSilent) {
  fail_with({refused, silent, silent, silent, silent, silent});
  EXPECT_EQ(patiences, (std::vector<std::chrono::milliseconds>{1s, 1s, 2s, 4s, 8s, 10s, 10s}));
}

TEST_F(DatabaseWaitTest, StaysAsPatientForTheNextStep) {
  fail_with({silent});
  fail_with({silent});
  EXPECT_EQ(patiences, (std::vector<std::chrono::milliseconds>{1s, 2s, 2s, 4s}));
}

TEST_F(DatabaseWaitTest, EndsWithTheRemedyWhereWaitingIsOfNoUse) {
  try {
    fail_with({refused, {"", "FATAL: password authentication failed for user \"hub\""}});
    FAIL() << "it waited";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(),
                 "the database postgresql://db/iot: it refuses the hub's login; check user, "
                 "password and database of the URL, and pg_hba.conf: FATAL: password "
                 "authentication failed for user \"hub\"");
  }
  EXPECT_EQ(pauses.size(), 1u);
}

TEST_F(DatabaseWaitTest, EndsWithWhatIsNotTheDatabases) {
  EXPECT_THROW(wait.until_done([](const Patience&) { throw std::runtime_error("the rules"); }),
               std::runtime_error);
  EXPECT_TRUE(pauses.empty());
}

}  // namespace
}  // namespace hub
