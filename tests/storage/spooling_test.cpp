// A writer that turns to its spool when the database does not commit, and comes back from it.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/storage/spooling_writer.h"
#include "tests/support/fault_proxy.h"

namespace hub::storage {
namespace {

using test::FaultProxy;
using test::PostgresServer;
using testing::Contains;
using testing::StartsWith;

TEST(Spooling, AcknowledgesFromTheSpoolWhileTheServerIsStoppedAndDrainsInOrder) {
  SpoolingWriter w;
  w.write(0, 1);
  w.run_until_drained();
  PostgresServer::instance().stop();
  w.write(1, 40);
  EXPECT_EQ(w.h().acknowledged, numbers(40));
  EXPECT_TRUE(w.h().writer().idle());
  EXPECT_EQ(w.h().writer().held_bytes(), 0u);
  EXPECT_EQ(w.h().writer().spooled().messages, 39u);
  EXPECT_EQ(w.h().outcomes["a"].committed, 1u);
  EXPECT_THAT(w.h().notices, Contains("spooling"));
  PostgresServer::instance().start();
  w.run_until_drained();
  EXPECT_EQ(w.rows(), SpoolingWriter::all_rows(40));
  EXPECT_EQ(w.h().outcomes["a"].committed, 40u);
  EXPECT_EQ(w.h().acknowledged, numbers(40));
  EXPECT_EQ(w.h().notices.back(), "drained");
}

TEST(Spooling, WritesDirectlyAgainOnceTheSpoolIsEmpty) {
  SpoolingWriter w;
  PostgresServer::instance().stop();
  w.write(0, 10);
  PostgresServer::instance().start();
  w.run_until_drained();
  // A slow machine may make it turn to the spool once more.
  std::int64_t n = 10;
  bool direct = false;
  while (!direct && n < 1'000) {
    const auto spooled = w.counters().spooled_batches.value();
    w.write(n, n + 1);
    ++n;
    direct = w.counters().spooled_batches.value() == spooled;
  }
  EXPECT_TRUE(direct);
  w.run_until_drained();
  EXPECT_EQ(w.rows(), SpoolingWriter::all_rows(n));
}

TEST(Spooling, KeepsTheOrderOfWhatComesWhileItDrains) {
  SpoolingWriter w;
  w.h().options().limits.rows = 3;  // so that it takes many transactions
  w.restart();
  PostgresServer::instance().stop();
  w.write(0, 60);
  PostgresServer::instance().start();
  std::int64_t n = 60;
  for (; n < 160; ++n) {
    w.h().append(w.target(), n);
    w.h().writer().end_of_turn();
    w.h().run_handlers(4);
  }
  w.run_until_drained();
  EXPECT_EQ(w.rows(), SpoolingWriter::all_rows(n));
  EXPECT_EQ(w.h().acknowledged, numbers(static_cast<std::uint64_t>(n)));
}

TEST(Spooling, SeveralRecordsGoInOneTransaction) {
  SpoolingWriter w;
  w.write(0, 1);
  w.run_until_drained();
  PostgresServer::instance().stop();
  w.write(1, 101);
  const auto batches = w.counters().batches.value();
  PostgresServer::instance().start();
  w.run_until_drained();
  // What was on its way goes by itself, the rest together.
  EXPECT_LE(w.counters().batches.value() - batches, 3u);
  EXPECT_EQ(w.rows(), SpoolingWriter::all_rows(101));
}

TEST(Spooling, ATokenWithoutARowFollowsWhatWasAppendedBefore) {
  SpoolingWriter w;
  PostgresServer::instance().stop();
  w.write(0, 5);
  w.h().writer().acknowledge_after_commit({5, 0});
  w.h().run_until([&] { return w.h().acknowledged.size() == 6; });
  w.h().append(w.target(), 6);
  w.h().writer().acknowledge_after_commit({7, 0});
  w.h().writer().end_of_turn();
  w.h().run_until([&] { return w.h().acknowledged.size() == 8; });
  EXPECT_EQ(w.h().acknowledged, numbers(8));
  PostgresServer::instance().start();
}

// A writer behind a proxy.
struct ProxiedSpooling {
  FaultProxy proxy{PostgresServer::instance().socket_path()};
  SpoolingWriter w{std::uint64_t{64} << 20,
                   [this](std::string_view database) { return proxy.url(database); }};
};

TEST(Spooling, DoesNotRepeatABatchThatCommittedUnheardAndWasSpooled) {
  ProxiedSpooling p;
  SpoolingWriter& w = p.w;
  w.write(0, 1);
  w.run_until_drained();
  p.proxy.hold(FaultProxy::Side::server, "INSERT ");
  w.write(1, 20);
  // The first of them gets into the database.
  w.h().run_until([&] { return w.h().database().count("SELECT count(*) FROM a") == 2; });
  p.proxy.cut();
  w.run_until_drained();
  EXPECT_EQ(w.rows(), SpoolingWriter::all_rows(20));
  EXPECT_EQ(w.counters().commits_confirmed.value(), 1u);
  EXPECT_EQ(w.h().acknowledged, numbers(20));
}

TEST(Spooling, ABatchThatIsSpooledWhileItsAnswerIsLateIsOnlyRemoved) {
  ProxiedSpooling p;
  SpoolingWriter& w = p.w;
  w.write(0, 1);
  w.run_until_drained();
  const auto connections = w.counters().connections.value();
  p.proxy.hold(FaultProxy::Side::server, "INSERT ");
  w.write(1, 2);
  EXPECT_EQ(w.h().writer().spooled().records, 1u);
  p.proxy.heal();
  w.run_until_drained();
  w.write(2, 4);
  w.run_until_drained();
  EXPECT_EQ(w.rows(), SpoolingWriter::all_rows(4));
  EXPECT_EQ(w.counters().connections.value(), connections);
}

TEST(Spooling, TurnsToTheSpoolWhenTheDatabaseIsABlackHole) {
  ProxiedSpooling p;
  SpoolingWriter& w = p.w;
  w.write(0, 1);
  p.proxy.hold(FaultProxy::Side::hub);
  w.write(1, 10);
  EXPECT_EQ(w.counters().answer_timeouts.value(), 0u) << "long before the link is given up";
  p.proxy.cut();
  p.proxy.heal();
  w.run_until_drained();
  EXPECT_EQ(w.rows(), SpoolingWriter::all_rows(10));
}

TEST(Spooling, HoldsAcknowledgementsWhileTheSpoolIsFull) {
  constexpr std::size_t kSpoolBytes = std::size_t{4} << 20;
  constexpr std::int64_t kMessages = 100;
  SpoolingWriter w(kSpoolBytes);
  PostgresServer::instance().stop();
  const std::string text(100'000, 'x');
  const auto is_full = [&] {
    return std::any_of(w.h().notices.begin(), w.h().notices.end(),
                       [](const auto& notice) { return notice.starts_with("spool full"); });
  };
  for (std::int64_t n = 0; n < kMessages; ++n) {
    w.h().append(w.target(), n, text);
    w.h().writer().end_of_turn();
    w.h().run_until(
        [&] { return is_full() || w.h().acknowledged.size() == static_cast<std::size_t>(n) + 1; });
  }
  EXPECT_TRUE(is_full());
  // It may find room again, as what is in its log moves into its files, but never for everything.
  w.h().run_handlers(20);
  EXPECT_GT(w.h().acknowledged.size(), 5u);
  EXPECT_LE(w.h().acknowledged.size() * text.size(), kSpoolBytes);
  EXPECT_EQ(w.h().acknowledged, numbers(w.h().acknowledged.size()));
  PostgresServer::instance().start();
  w.run_until_drained();
  EXPECT_EQ(w.h().acknowledged, numbers(kMessages));
  EXPECT_EQ(w.rows(), SpoolingWriter::all_rows(kMessages));
}

TEST(Spooling, AnIdleSpoolTakesNothingWhenTheDatabaseIsQuick) {
  SpoolingWriter w;
  w.h().options().spool_after = std::chrono::seconds(60);
  w.restart();
  for (std::int64_t n = 0; n < 2'000; ++n) {
    w.h().append(w.target(), n);
    if (n % 10 == 0) w.h().writer().end_of_turn();
    w.h().run_handlers(1);
  }
  w.h().run_until_idle();
  EXPECT_EQ(w.counters().spooled_batches.value(), 0u);
  EXPECT_EQ(w.h().acknowledged, numbers(2'000));
}

}  // namespace
}  // namespace hub::storage
