// Rows with a key: a repeat is absorbed, in the table and within the batch, and counted.
#include <gtest/gtest.h>

#include <utility>

#include "tests/storage/writer_harness.h"

namespace hub::storage {
namespace {

const std::vector<Column> kKeyedColumns = {make_column("n", ColumnType::int8, "bigint"),
                                           make_column("t", ColumnType::text, "text")};

class KeyedRows : public testing::Test {
 protected:
  void write(const RowTargetPtr& target,
             std::initializer_list<std::pair<std::int64_t, const char*>> rows) {
    for (const auto& [n, t] : rows) h.append(target, n, t);
    h.run_until_idle();
  }
  std::string table() { return h.database().query("SELECT * FROM k ORDER BY n, t"); }
  RowOutcome outcome() { return h.outcomes["k"]; }

  WriterHarness h;
  RowTargetPtr ignoring = make_target("k", kKeyedColumns, {"n"});
  RowTargetPtr updating = make_target("k", kKeyedColumns, {"n"}, OnConflict::update);
};

TEST_F(KeyedRows, IgnoreKeepsTheFirstOfTheTableAndOfTheBatch) {
  h.database().query("CREATE TABLE k (n bigint PRIMARY KEY, t text)");
  write(ignoring, {{1, "a"}, {2, "b"}, {1, "c"}});
  write(ignoring, {{2, "d"}, {3, "e"}});
  EXPECT_EQ(table(), "1|a\n2|b\n3|e");
  EXPECT_EQ(outcome().committed, 3u);
  EXPECT_EQ(outcome().duplicates, 2u);
  EXPECT_EQ(h.writer().counters().rows.value(), 3u);
  EXPECT_EQ(h.writer().counters().duplicates.value(), 2u);
}

TEST_F(KeyedRows, UpdateKeepsTheLast) {
  h.database().query("CREATE TABLE k (n bigint PRIMARY KEY, t text, other int DEFAULT 7)");
  write(updating, {{1, "a"}, {2, "b"}, {1, "c"}, {1, "d"}});
  write(updating, {{2, "e"}, {3, "f"}});
  EXPECT_EQ(table(), "1|d|7\n2|e|7\n3|f|7");
  EXPECT_EQ(outcome().committed, 3u);
  EXPECT_EQ(outcome().duplicates, 3u);
}

TEST_F(KeyedRows, UpdateKeepsTheLastAlsoOfABatchThatIsTakenApart) {
  for (const bool copies : {false, true}) {
    if (copies) h.copy_always();
    h.outcomes.clear();
    h.database().query(
        "DROP TABLE IF EXISTS k; CREATE TABLE k (n bigint PRIMARY KEY, t text CHECK (t <> 'bad'))");
    write(updating,
          {{1, "a"}, {2, "bad"}, {1, "b"}, {2, "c"}, {3, "bad"}, {1, "d"}, {2, "bad"}, {4, "e"}});
    EXPECT_EQ(table(), "1|d\n2|c\n4|e");
    EXPECT_EQ(outcome().committed, 3u);
    EXPECT_EQ(outcome().duplicates, 3u);  // one of them bad: nobody asked the table of it
    EXPECT_EQ(outcome().dead_letters, 2u);
  }
}

TEST_F(KeyedRows, UpdateOfATableThatIsAllKeyIgnores) {
  h.database().query("CREATE TABLE k (n bigint, t text, PRIMARY KEY (t, n))");
  const auto target = make_target("k", kKeyedColumns, {"n", "t"}, OnConflict::update);
  write(target, {{1, "a"}, {1, "b"}, {1, "a"}});
  EXPECT_EQ(table(), "1|a\n1|b");
  EXPECT_EQ(outcome().duplicates, 1u);
}

TEST_F(KeyedRows, KeyWithANullIsEqualToNoOther) {
  h.database().query("CREATE TABLE k (n bigint UNIQUE, t text)");
  for (const auto& target : {ignoring, updating}) {
    for (int i = 0; i < 2; ++i) {
      const Value values[] = {Value::null(), Value::text("x")};
      ASSERT_EQ(h.writer().append(target, values, {}), std::nullopt);
    }
    h.run_until_idle();
  }
  EXPECT_EQ(h.database().count("SELECT count(*) FROM k"), 4);
  EXPECT_EQ(outcome().duplicates, 0u);
}

TEST_F(KeyedRows, EqualityIsTheColumnsOwn) {
  h.database().query(
      "CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"
      "CREATE TABLE k (n bigint, t text COLLATE blind PRIMARY KEY)");
  const auto target = make_target("k", kKeyedColumns, {"t"}, OnConflict::update);
  write(target, {{1, "dev"}, {2, "DEV"}});
  EXPECT_EQ(h.database().query("SELECT n FROM k"), "2");
  EXPECT_EQ(outcome().duplicates, 1u);
}

TEST_F(KeyedRows, GoIntoPartitionedTables) {
  h.database().query(
      "CREATE TABLE k (n bigint PRIMARY KEY, t text) PARTITION BY RANGE (n);"
      "CREATE TABLE k1 PARTITION OF k FOR VALUES FROM (0) TO (10);"
      "CREATE TABLE k2 PARTITION OF k FOR VALUES FROM (10) TO (20)");
  write(updating, {{1, "a"}, {11, "b"}, {1, "c"}});
  write(updating, {{11, "d"}, {12, "e"}, {99, "no partition"}});
  EXPECT_EQ(table(), "1|c\n11|d\n12|e");
  EXPECT_EQ(outcome().committed, 3u);
  EXPECT_EQ(outcome().duplicates, 2u);
  EXPECT_EQ(outcome().dead_letters, 1u);
}

TEST_F(KeyedRows, AreOneTransactionWithRowsThatHaveNoKey) {
  h.copy_always();
  h.database().query(
      "CREATE TABLE k (n bigint PRIMARY KEY, t text); CREATE TABLE a (n bigint, t text)");
  const auto plain = make_target("a", kKeyedColumns);
  write(ignoring, {{1, "a"}, {1, "b"}});  // from now on by array
  const std::uint64_t before = h.writer().counters().statements_sent.value();
  h.append(ignoring, 2);
  h.append(plain, 3);
  h.run_until_idle();
  EXPECT_EQ(h.database().count("SELECT count(DISTINCT xmin::text) FROM (SELECT xmin FROM a UNION "
                               "ALL SELECT xmin FROM k WHERE n = 2) AS x"),
            1);
  EXPECT_EQ(h.acknowledged, (std::vector<std::uint64_t>{1, 1, 2, 3}));
  EXPECT_EQ(h.writer().counters().statements_sent.value() - before, 2u);  // COPY, pipeline
}

TEST_F(KeyedRows, GoByCopyUntilAKeyRepeats) {
  h.copy_always();
  h.database().query("CREATE TABLE k (n bigint PRIMARY KEY, t text)");
  auto exchanges = [&, last = std::uint64_t{1}]() mutable {  // 1: the claim
    const std::uint64_t now = h.writer().counters().statements_sent.value();
    return now - std::exchange(last, now);
  };
  for (int n = 0; n < 5000; ++n) h.append(ignoring, n);
  h.run_until_idle();
  EXPECT_EQ(exchanges(), 1u);
  write(ignoring, {{0, "again"}, {10'000, "new"}});
  EXPECT_EQ(exchanges(), 2u);  // COPY is refused, then by array
  write(ignoring, {{0, "again"}, {10'001, "new"}});
  EXPECT_EQ(exchanges(), 1u);
  EXPECT_EQ(outcome().committed, 5002u);
  EXPECT_EQ(outcome().duplicates, 2u);
  for (int n = 0; n < 2; ++n) write(ignoring, {{20'000 + n, "new"}});
  exchanges();
  write(ignoring, {{30'000, "new"}});  // COPY is tried again
  write(ignoring, {{0, "again"}});
  EXPECT_EQ(exchanges(), 3u);
  EXPECT_EQ(h.database().count("SELECT count(*) FROM k"), 5005);
}

TEST_F(KeyedRows, RepeatOfAnotherKeyIsABadRow) {
  h.database().query("CREATE TABLE k (n bigint PRIMARY KEY, t text UNIQUE)");
  write(ignoring, {{1, "a"}, {2, "a"}, {1, "b"}});
  EXPECT_EQ(table(), "1|a");
  EXPECT_EQ(outcome().duplicates, 1u);
  EXPECT_EQ(outcome().dead_letters, 1u);
}

TEST_F(KeyedRows, NamesThatNeedQuotesAreQuoted) {
  h.database().query("CREATE TABLE \"k\"\"'\\\" (\"a \"\"b\" bigint PRIMARY KEY, \"c'd\\\" text)");
  const auto target = make_target("k\"'\\", {make_column("a \"b", ColumnType::int8, "bigint"),
                                             make_column("c'd\\", ColumnType::text, "text")});
  auto keyed = std::make_shared<RowTarget>(*target);
  keyed->key = {"a \"b"};
  keyed->on_conflict = OnConflict::update;
  h.append(target, 1, "x");
  h.append(keyed, 1, "y");
  h.append(keyed, 1, "z");
  h.run_until_idle();
  EXPECT_EQ(h.database().query("SELECT * FROM \"k\"\"'\\\""), "1|z");
}

}  // namespace
}  // namespace hub::storage
