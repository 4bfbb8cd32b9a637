#include "tests/support/commit_watch.h"

#include <gtest/gtest.h>

#include <boost/endian/conversion.hpp>

namespace hub::test {
namespace {

// A message of PostgreSQL's protocol; the first of a link has no type.
std::string message(std::string_view type, std::string_view body) {
  std::string out{type};
  unsigned char size[4];
  boost::endian::store_big_u32(size, static_cast<std::uint32_t>(body.size() + 4));
  out.append(reinterpret_cast<const char*>(size), 4);
  return out.append(body);
}
std::string query(std::string_view sql) { return message("Q", std::string{sql} + '\0'); }
std::string rows() { return message("d", "rows"); }
std::string copy_done() { return message("c", ""); }
std::string sync() { return message("S", ""); }

class CommitWatchTest : public testing::Test {
 protected:
  CommitWatchTest() { EXPECT_FALSE(watch.read(message("", "startup"))); }
  CommitWatch watch;
};

TEST_F(CommitWatchTest, FindsTheEndOfTheLastCopyOfAQuery) {
  EXPECT_FALSE(watch.read(query("SELECT 1; COPY a FROM STDIN; COPY b FROM STDIN")));
  EXPECT_FALSE(watch.read(rows() + copy_done()));
  const std::string before = rows();
  const auto found = watch.read(before + copy_done() + "trailing");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->begin, before.size());
  EXPECT_EQ(found->end, before.size() + copy_done().size());
}

TEST_F(CommitWatchTest, FindsAMessageThatComesInPieces) {
  const std::string bytes = query("UPDATE a SET x = 1");
  EXPECT_FALSE(watch.read(bytes.substr(0, 3)));
  EXPECT_FALSE(watch.read(bytes.substr(3, 7)));
  const auto found = watch.read(bytes.substr(10));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->begin, 0u);
  EXPECT_EQ(found->end, bytes.size() - 10);
}

TEST_F(CommitWatchTest, FindsTheSyncOfAPipelineOutsideATransaction) {
  EXPECT_FALSE(watch.read(message("P", "INSERT") + message("B", "") + message("E", "")));
  EXPECT_TRUE(watch.read(sync()));
}

TEST_F(CommitWatchTest, FindsWithinATransactionOnlyItsCommit) {
  EXPECT_FALSE(watch.read(query("BEGIN; SELECT 1; COPY a FROM STDIN")));
  EXPECT_FALSE(watch.read(rows() + copy_done()));
  EXPECT_FALSE(watch.read(message("P", "INSERT") + sync()));
  EXPECT_FALSE(watch.read(query("SELECT 1; SAVEPOINT piece")));
  EXPECT_FALSE(watch.read(message("P", "INSERT") + message("P", "COMMIT")));
  EXPECT_TRUE(watch.read(sync()));
  EXPECT_TRUE(watch.read(query("SELECT 1"))) << "the transaction is over";
}

TEST_F(CommitWatchTest, TakesARollbackForTheEndOfATransactionAndToASavepointNot) {
  EXPECT_FALSE(watch.read(query("BEGIN")));
  EXPECT_FALSE(watch.read(query("ROLLBACK TO SAVEPOINT piece; SELECT 1")));
  EXPECT_FALSE(watch.read(query("ROLLBACK")));
  EXPECT_TRUE(watch.read(query("SELECT 1")));
}

}  // namespace
}  // namespace hub::test
