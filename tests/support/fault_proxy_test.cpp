#include "tests/support/fault_proxy.h"

#include <gtest/gtest.h>
#include <libpq-fe.h>

#include <memory>

#include "tests/support/postgres_fixture.h"
#include "tests/support/program.h"

namespace hub::test {
namespace {

using Connection = std::unique_ptr<PGconn, decltype([](PGconn* c) { PQfinish(c); })>;

class FaultProxyTest : public testing::Test {
 protected:
  FaultProxyTest() { database.query("CREATE TABLE a (n integer)"); }

  Connection connect(int patience_s = 20) {
    return Connection{PQconnectdb(
        (proxy.url(database.name()) + "&connect_timeout=" + std::to_string(patience_s)).c_str())};
  }
  static bool insert(const Connection& connection) {
    PGresult* result = PQexec(connection.get(), "INSERT INTO a VALUES (1)");
    const bool good = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
    return good;
  }
  std::int64_t rows() { return database.count("SELECT count(*) FROM a"); }

  TestDatabase database;
  FaultProxy proxy{PostgresServer::instance().socket_path()};
};

TEST_F(FaultProxyTest, PassesOnWhatIsSent) {
  const Connection connection = connect();
  EXPECT_TRUE(insert(connection));
  EXPECT_EQ(rows(), 1);
}

TEST_F(FaultProxyTest, CutsBeforeTheCommit) {
  const Connection connection = connect();
  proxy.cut_at_commit(FaultProxy::CommitCut::before);
  EXPECT_FALSE(insert(connection));
  EXPECT_EQ(PQstatus(connection.get()), CONNECTION_BAD);
  EXPECT_EQ(proxy.commits_cut(), 1u);
  EXPECT_TRUE(insert(connect())) << "once only";
  EXPECT_EQ(rows(), 1);
}

TEST_F(FaultProxyTest, CutsAfterTheCommit) {
  for (const auto when : {FaultProxy::CommitCut::after, FaultProxy::CommitCut::after_answer}) {
    const std::int64_t before = rows();
    const Connection connection = connect();
    proxy.cut_at_commit(when);
    EXPECT_FALSE(insert(connection));
    EXPECT_TRUE(eventually([&] { return rows() == before + 1; }));
  }
}

TEST_F(FaultProxyTest, DeliversACommitLate) {
  Connection connection = connect();
  proxy.cut_at_commit(FaultProxy::CommitCut::late);
  ASSERT_EQ(PQsendQuery(connection.get(), "INSERT INTO a VALUES (1)"), 1);
  ASSERT_EQ(PQflush(connection.get()), 0);
  ASSERT_TRUE(eventually([&] { return proxy.commits_cut() == 1; }));
  connection.reset();
  EXPECT_TRUE(insert(connect())) << "new links work";
  EXPECT_EQ(rows(), 1);
  proxy.heal();
  EXPECT_TRUE(eventually([&] { return rows() == 2; }));
}

TEST_F(FaultProxyTest, DeliversAfterAStallWhatIsLeftOfAClientThatHasGone) {
  Connection connection = connect();
  proxy.stall();
  ASSERT_EQ(PQsendQuery(connection.get(), "INSERT INTO a VALUES (1)"), 1);
  ASSERT_EQ(PQflush(connection.get()), 0);
  connection.reset();
  EXPECT_TRUE(insert(connect())) << "new links work";
  EXPECT_EQ(rows(), 1);
  proxy.heal();
  EXPECT_TRUE(eventually([&] { return rows() == 2; }));
}

TEST_F(FaultProxyTest, SwallowsNewLinksInABlackHole) {
  proxy.black_hole();
  EXPECT_EQ(PQstatus(connect(2).get()), CONNECTION_BAD);
  proxy.heal();
  EXPECT_TRUE(insert(connect()));
}

TEST_F(FaultProxyTest, RefusesNewLinksAndKeepsTheOldOnes) {
  const Connection old = connect();
  proxy.refuse();
  EXPECT_EQ(PQstatus(connect().get()), CONNECTION_BAD);
  EXPECT_TRUE(insert(old));
  proxy.heal();
  EXPECT_TRUE(insert(connect()));
}

TEST_F(FaultProxyTest, ClosesOneDirection) {
  for (const auto side : {FaultProxy::Side::hub, FaultProxy::Side::server}) {
    const Connection connection = connect();
    proxy.half_close(side);
    EXPECT_FALSE(insert(connection));
  }
}

TEST_F(FaultProxyTest, CutsEveryLink) {
  const Connection connection = connect();
  proxy.cut();
  EXPECT_FALSE(insert(connection));
}

}  // namespace
}  // namespace hub::test
