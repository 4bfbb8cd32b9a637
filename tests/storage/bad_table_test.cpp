// Tables that cannot be written at all: dropped, changed, no longer permitted. Their rows become
// dead letters, the user is told, and all goes on by itself when the table is usable again.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>

#include "tests/storage/bad_rows_fixture.h"

namespace hub::storage {
namespace {

class BadTable : public BadRows {
 protected:
  // Rows 0–9 go well, then `breaks`, rows 10–19 become dead letters, then `mends`, 20–29 go well;
  // rows of another table do all the time.
  void expect_fault(const std::string& breaks, const std::string& sqlstate,
                    const std::string& message, const std::string& mends) {
    h.database().query("CREATE TABLE b (n bigint, t text)");
    const auto other = make_target("b", kColumns);
    write(10);
    h.database().query(breaks);
    for (int n = 10; n < 20; ++n) {
      h.append(target, n);
      h.append(other, n);
    }
    h.run_until_idle();
    EXPECT_EQ(dead_letters(), fmt::format("10 {} table_unusable {}", sqlstate, message));
    EXPECT_EQ(h.notices,
              (std::vector<std::string>{fmt::format("a unusable: {} {}", sqlstate, message)}));
    EXPECT_EQ(h.database().count("SELECT count(*) FROM b"), 10);
    h.database().query(mends);
    write(10, 20);
    EXPECT_EQ(h.database().count("SELECT count(*) FROM a"), 20);
    EXPECT_EQ(h.notices.back(), "a usable");
    EXPECT_EQ(h.writer().counters().dead_letters_table_unusable.value(), 10u);
    EXPECT_EQ(h.acknowledged.size(), 40u);

    // All is as before: one exchange for a batch.
    const std::uint64_t before = exchanges();
    write(1, 30);
    EXPECT_EQ(exchanges() - before, 1u);
  }
};

TEST_F(BadTable, Dropped) {
  make("CREATE TABLE a (n bigint, t text)");
  expect_fault("ALTER TABLE a RENAME TO c", "42P01", "relation \"public.a\" does not exist",
               "ALTER TABLE c RENAME TO a");
}

TEST_F(BadTable, ColumnDropped) {
  make("CREATE TABLE a (n bigint, t text)");
  expect_fault("ALTER TABLE a DROP COLUMN t", "42804",
               "column t of a is missing now, and was text when the rule was loaded",
               "ALTER TABLE a ADD COLUMN t text");
}

TEST_F(BadTable, ColumnOfAnotherTypeOfTheSameLength) {
  make("CREATE TABLE a (n bigint, t text)");
  expect_fault("ALTER TABLE a ALTER n TYPE timestamp USING now()", "42804",
               "column n of a is timestamp without time zone now, and was bigint when the "
               "rule was loaded",
               "ALTER TABLE a ALTER n TYPE bigint USING 0");
}

TEST_F(BadTable, IsFoundByCopyToo) {
  h.copy_always();
  make("CREATE TABLE a (n bigint, t text)");
  expect_fault("ALTER TABLE a ALTER n TYPE timestamp USING now()", "42804",
               "column n of a is timestamp without time zone now, and was bigint when the "
               "rule was loaded",
               "ALTER TABLE a ALTER n TYPE bigint USING 0");
}

TEST_F(BadTable, ColumnDroppedIsFoundByCopyToo) {
  h.copy_always();
  make("CREATE TABLE a (n bigint, t text)");
  expect_fault("ALTER TABLE a DROP COLUMN t", "42804",
               "column t of a is missing now, and was text when the rule was loaded",
               "ALTER TABLE a ADD COLUMN t text");
}

TEST_F(BadTable, LostUniqueIndexIsFoundByCopyToo) {
  h.copy_always();
  make("CREATE TABLE a (n bigint PRIMARY KEY, t text)");
  target = make_target("a", kColumns, {"n"});
  expect_fault("ALTER TABLE a DROP CONSTRAINT a_pkey", "42P10",
               "there is no unique or exclusion constraint matching the ON CONFLICT specification",
               "ALTER TABLE a ADD PRIMARY KEY (n)");
}

// However large the batch is, what an assignment converts is converted.
TEST_F(BadTable, ColumnOfATypeThatIsConvertedToIsNoFault) {
  for (const bool keyed : {false, true}) {
    for (const bool copies : {false, true}) {
      if (copies) h.copy_always();
      make(
          "DROP TABLE IF EXISTS a; CREATE TABLE a (n bigint, t text); CREATE UNIQUE INDEX a_key ON "
          "a (n)");
      if (keyed) target = make_target("a", kColumns, {"n"});
      write(10);
      make("ALTER TABLE a ALTER n TYPE float8");
      write(10, 10);
      make("DROP INDEX a_key; ALTER TABLE a ALTER n TYPE text; CREATE UNIQUE INDEX ON a (n)");
      for (int n = 20; n < 40; n += 10) write(10, n);
      EXPECT_EQ(h.database().query("SELECT count(*), max(n::int) FROM a"), "40|39");
    }
  }
  EXPECT_EQ(dead_letters(), "");
  EXPECT_TRUE(h.notices.empty());
}

// The server calls bytes that are too few for the new type a violation of the protocol.
TEST_F(BadTable, ColumnOfATypeThatNeedsMoreBytes) {
  h.copy_always();
  make("CREATE TABLE a (n bigint, t text)");
  expect_fault("ALTER TABLE a ALTER t TYPE bigint USING 0", "42804",
               "column t of a is bigint now, and was text when the rule was loaded",
               "ALTER TABLE a ALTER t TYPE text");
}

// COPY is refused there.
TEST_F(BadTable, WithRowLevelSecurityIsNoFault) {
  test::TestDatabase admin;
  admin.query(
      "DO $$BEGIN IF to_regrole('weak') IS NULL THEN CREATE ROLE weak LOGIN; END IF; END$$");
  WriterHarness weak({}, [](std::string_view database) {
    return test::PostgresServer::instance().url(database, "weak");
  });
  weak.copy_always();
  weak.database().query(
      "GRANT USAGE ON SCHEMA iothub TO weak; GRANT ALL ON ALL TABLES IN SCHEMA iothub TO weak;"
      "CREATE TABLE a (n bigint CHECK (n <> 25), t text); GRANT INSERT ON a TO weak;"
      "ALTER TABLE a ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON a WITH CHECK (n <> 7)");
  for (int batch = 0; batch < 5; ++batch) {
    for (int n = 10 * batch; n < 10 * batch + 10; ++n) weak.append(target, n);
    weak.run_until_idle();
  }
  EXPECT_EQ(weak.database().query("SELECT count(*), max(n) FROM a"), "48|49");
  EXPECT_EQ(weak.database().query("SELECT reason, sqlstate FROM iothub.dead_letter ORDER BY id"),
            "row_refused|42501\nrow_refused|23514");
}

TEST_F(BadTable, NewColumnIsNoFault) {
  make("CREATE TABLE a (n bigint, t text)");
  write(10);
  make("ALTER TABLE a ADD COLUMN more int");
  write(10, 10);
  EXPECT_EQ(h.database().count("SELECT count(*) FROM a"), 20);
}

TEST_F(BadTable, KeyedTableDropped) {
  make("CREATE TABLE a (n bigint PRIMARY KEY, t text)");
  target = make_target("a", kColumns, {"n"});
  expect_fault("ALTER TABLE a RENAME TO c", "42P01", "relation \"public.a\" does not exist",
               "ALTER TABLE c RENAME TO a");
}

TEST_F(BadTable, KeyedTableThatLostItsUniqueIndex) {
  make("CREATE TABLE a (n bigint PRIMARY KEY, t text)");
  target = make_target("a", kColumns, {"n"});
  expect_fault("ALTER TABLE a DROP CONSTRAINT a_pkey", "42P10",
               "there is no unique or exclusion constraint matching the ON CONFLICT specification",
               "ALTER TABLE a ADD PRIMARY KEY (n)");
}

// A writer that is no superuser.
class WeakRole : public testing::Test {
 protected:
  void SetUp() override {
    test::TestDatabase admin;
    admin.query(
        "DO $$BEGIN IF to_regrole('weak') IS NULL THEN CREATE ROLE weak LOGIN; END IF; END$$");
    h = std::make_unique<WriterHarness>(PgWriterOptions{}, [](std::string_view database) {
      return test::PostgresServer::instance().url(database, "weak");
    });
    // As sql/README.md says.
    h->database().query(
        "GRANT USAGE ON SCHEMA iothub TO weak;"
        "GRANT SELECT, INSERT, UPDATE ON iothub.writer TO weak;"
        "GRANT INSERT ON iothub.dead_letter TO weak;"
        "GRANT SELECT, INSERT, UPDATE, DELETE ON iothub.session_state TO weak;"
        "CREATE TABLE a (n bigint, t text); GRANT INSERT ON a TO weak");
  }

  std::unique_ptr<WriterHarness> h;
  RowTargetPtr target = make_target("a", kColumns);
};

TEST_F(WeakRole, NeedsOnlyTheDocumentedGrants) {
  h->when_closing = [&] { h->writer().make_durable(bare_session("c")); };
  h->writer().durable_change_waits();
  h->append(target, 1);
  h->writer().append_dead_letter("r", "a", "b", "c", {});
  h->run_until_idle();
  EXPECT_EQ(h->acknowledged, std::vector<std::uint64_t>{1});
  EXPECT_EQ(h->database().count("SELECT count(*) FROM a"), 1);
}

TEST_F(WeakRole, RevokedPermissionIsTheTablesFault) {
  h->append(target, 1);
  h->run_until_idle();
  h->database().query("REVOKE INSERT ON a FROM weak");
  h->append(target, 2);
  h->run_until_idle();
  EXPECT_EQ(h->notices.at(h->notices.size() - 1),
            "a unusable: 42501 permission denied for table a");
  h->database().query("GRANT INSERT ON a TO weak");
  h->append(target, 3);
  h->run_until_idle();
  EXPECT_EQ(h->database().query("SELECT n FROM a ORDER BY n"), "1\n3");
  EXPECT_EQ(h->database().query("SELECT reason, sqlstate FROM iothub.dead_letter"),
            "table_unusable|42501");
}

// The catalogue lets a rule fill a table of which the role may insert some columns only.
TEST_F(WeakRole, MayHaveAPermissionForTheColumnsOnly) {
  h->database().query(
      "REVOKE INSERT ON a FROM weak; GRANT INSERT (n, t) ON a TO weak; ALTER TABLE a ADD CHECK (n "
      "<> 2)");
  for (int n = 1; n <= 3; ++n) h->append(target, n);
  h->run_until_idle();
  EXPECT_EQ(h->database().query("SELECT n FROM a ORDER BY n"), "1\n3");
  EXPECT_EQ(h->database().query("SELECT reason, sqlstate FROM iothub.dead_letter"),
            "row_refused|23514");
}

// The hub's own tables are no rule's: without them nothing is acknowledged.
TEST_F(WeakRole, LackingThePermissionForDeadLettersHoldsTheBatch) {
  h->database().query(
      "REVOKE INSERT ON iothub.dead_letter FROM weak; ALTER TABLE a ADD CHECK (n <> 2)");
  for (int n = 1; n <= 3; ++n) h->append(target, n);
  h->writer().end_of_turn();
  h->run_until([&] { return !h->notices.empty(); });
  EXPECT_EQ(h->notices.front(), "unavailable: 42501 permission denied for table dead_letter");
  EXPECT_TRUE(h->acknowledged.empty());
  h->database().query("GRANT INSERT ON iothub.dead_letter TO weak");
  h->run_until_idle();
  EXPECT_EQ(h->acknowledged, (std::vector<std::uint64_t>{1, 2, 3}));
  EXPECT_EQ(h->database().query("SELECT n FROM a ORDER BY n"), "1\n3");
  EXPECT_EQ(h->database().query("SELECT reason, sqlstate FROM iothub.dead_letter"),
            "row_refused|23514");
}

}  // namespace
}  // namespace hub::storage
