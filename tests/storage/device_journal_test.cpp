// The devices' part of the ledger: at every instant what is booked and what the journal says.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "storage/ledger_reader.h"
#include "storage/migration.h"
#include "tests/storage/writer_harness.h"

namespace hub::storage {
namespace {

class DeviceJournal : public testing::Test {
 protected:
  // A batch of its own that does this when it closes.
  void batch(std::function<void(PgBatchWriter& writer)> book) {
    h.when_closing = [this, book = std::move(book)] {
      book(h.writer());
      h.when_closing = nullptr;
    };
    h.writer().ledger_changed();
    h.run_until_idle();
  }
  void add(std::int64_t number, std::string lines) {
    batch([=](PgBatchWriter& w) { w.add_to_journal({number, false, lines}); });
  }
  // "device|received|committed|dead_lettered" of each.
  std::string accounts() {
    std::string out;
    for (const DeviceAccount& a : read_device_ledger(h.database().url(), {})) {
      out += fmt::format("{}{}|{}|{}|{}", out.empty() ? "" : "\n", a.device, a.counts.received,
                         a.counts.committed, a.counts.dead_lettered);
    }
    return out;
  }
  std::string seen() { return h.database().query("SELECT seen, given_up FROM iothub.device_seen"); }
  std::int64_t entries() {
    return h.database().count("SELECT count(*) FROM iothub.device_journal");
  }
  void let_a_day_pass() {
    h.database().query("UPDATE iothub.writer SET seen_at = now() - interval '2 days'");
    maintain(h.database().url());
  }

  WriterHarness h;
};

TEST_F(DeviceJournal, CountsBesideWhatIsBooked) {
  batch(
      [](PgBatchWriter& w) { w.add_to_device_ledger("r", "d1", {.received = 5, .committed = 5}); });
  add(1, R"({"r":[["d1",2,2],["d\"2\u0001",1,0,0,1]]})");
  add(2, R"({"r":[["d1",1,1]]})");
  EXPECT_EQ(accounts(), "d\"2\x01|1|0|1\nd1|8|8|0");
}

TEST_F(DeviceJournal, CountsNoMoreOnceItIsBooked) {
  add(1, R"({"r":[["d1",2,2],["d2",1,1]]})");
  // A round of two batches, while more comes.
  batch([](PgBatchWriter& w) {
    w.add_to_journal({2, false, R"({"r":[["d1",4,4]]})"});
    w.add_to_device_ledger("r", "d1", {.received = 6, .committed = 6});
    w.add_to_journal({2, true, R"({"r":[["d1",-6,-6]]})"});
  });
  EXPECT_EQ(accounts(), "d1|6|6|0\nd2|1|1|0");
  batch([](PgBatchWriter& w) {
    w.add_to_journal({3, false, R"({"r":[["d1",8,8]]})"});
    w.add_to_device_ledger("r", "d2", {.received = 1, .committed = 1});
    w.mark_journal({.added_through = 2, .booked_through = 3}, {});
  });
  EXPECT_EQ(accounts(), "d1|14|14|0\nd2|1|1|0");
  EXPECT_EQ(entries(), 4);
  batch([](PgBatchWriter& w) { w.mark_journal({}, {.after = 0, .through = 2}); });
  EXPECT_EQ(entries(), 1);
  EXPECT_EQ(accounts(), "d1|14|14|0\nd2|1|1|0");
}

TEST_F(DeviceJournal, HasTheSequenceNumbers) {
  batch([](PgBatchWriter& w) { w.add_to_sequence("r", "d1", "{[1,4)}", 1); });
  add(1, R"({"r":[["d1",3,3,0,0,0,0,"{[4,6),[9,10)}",2]]})");
  add(2, R"({"r":[["d2",3,3]]})");
  EXPECT_EQ(seen(), "{[1,6),[9,10)}|3");
  const auto gaps = read_gaps(h.database().url(), {});
  ASSERT_EQ(gaps.size(), 1u);
  EXPECT_EQ(gaps[0].missing, (std::vector<std::pair<std::int64_t, std::int64_t>>{{6, 8}}));
}

TEST_F(DeviceJournal, CommitsWithTheRows) {
  h.database().query("CREATE TABLE a (n bigint CHECK (n < 9), t text)");
  const auto target = make_target("a", {make_column("n", ColumnType::int8, "bigint"),
                                        make_column("t", ColumnType::text, "text")});
  h.append(target, 1);
  add(1, R"({"r":[["d1",1,1]]})");
  h.append(target, 9);  // the batch is taken apart
  add(2, R"({"r":[["d1",1,1]]})");
  h.database().query("ALTER TABLE a RENAME TO b");
  h.append(target, 2);  // no table
  add(3, R"({"r":[["d1",1,1]]})");
  EXPECT_EQ(accounts(), "d1|3|3|0");
}

TEST_F(DeviceJournal, OfAWriterThatIsGoneIsBookedByTheMaintenance) {
  batch([](PgBatchWriter& w) {
    w.add_to_device_ledger("r", "d1", {.received = 5, .committed = 5});
    w.add_to_sequence("r", "d1", "{[1,6)}", 0);
  });
  add(1, R"({"r":[["d1",9,9]]})");
  batch([](PgBatchWriter& w) { w.mark_journal({.added_through = 1, .booked_through = 0}, {}); });
  add(2, R"({"r":[["d1",1,1,0,0,0,0,"{[6,7)}"],["d2",1,0,0,1]],"s":[["d1",1,1]]})");
  const std::string before = accounts();
  EXPECT_EQ(before, "d1|6|6|0\nd2|1|0|1\nd1|1|1|0");
  maintain(h.database().url());
  EXPECT_EQ(entries(), 2);  // it was seen today
  let_a_day_pass();
  EXPECT_EQ(entries(), 0);
  EXPECT_EQ(h.database().count("SELECT count(*) FROM iothub.device_journal_mark"), 0);
  EXPECT_EQ(accounts(), before);
  EXPECT_EQ(seen(), "{[1,7)}|0");
  add(3, R"({"r":[["d1",1,1]]})");  // it is not gone after all
  EXPECT_EQ(accounts(), "d1|7|7|0\nd2|1|0|1\nd1|1|1|0");
  batch([](PgBatchWriter& w) {
    w.mark_journal({.added_through = 4, .booked_through = 4}, {.after = 0, .through = 4});
  });
  let_a_day_pass();
  EXPECT_EQ(h.database().count("SELECT count(*) FROM iothub.device_journal_mark"), 0);
}

}  // namespace
}  // namespace hub::storage
