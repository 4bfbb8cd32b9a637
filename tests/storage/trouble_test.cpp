#include "storage/trouble.h"

#include <gtest/gtest.h>

namespace hub::storage {
namespace {

TEST(Trouble, IsKnownByTheSqlstate) {
  EXPECT_EQ(trouble_of({"53100", "no space"}), Trouble::out_of_disk);
  EXPECT_EQ(trouble_of({"25006", "in another language"}), Trouble::read_only);
  EXPECT_EQ(trouble_of({"57P03", ""}), Trouble::starting_up);
  EXPECT_EQ(trouble_of({"57P01", ""}), Trouble::ended);
  EXPECT_EQ(trouble_of({"40P01", ""}), Trouble::batch_refused);
  EXPECT_EQ(trouble_of({"42P01", ""}), Trouble::not_initialised);
  EXPECT_EQ(trouble_of({"42501", ""}), Trouble::not_permitted);
  EXPECT_EQ(trouble_of({"99999", ""}), Trouble::other);
}

TEST(Trouble, OfAnAttemptToConnectIsKnownByItsWords) {
  EXPECT_EQ(trouble_of({"", "connection to server on socket \"/s\" failed: Connection refused"}),
            Trouble::unreachable);
  EXPECT_EQ(trouble_of({"", "could not translate host name \"db\" to address"}),
            Trouble::unreachable);
  EXPECT_EQ(trouble_of({"", "FATAL: sorry, too many clients already"}),
            Trouble::out_of_connections);
  EXPECT_EQ(trouble_of({"", "timeout expired"}), Trouble::silent);
  EXPECT_EQ(trouble_of({"", "FATAL: the database system is starting up"}), Trouble::starting_up);
  EXPECT_EQ(trouble_of({"", "FATAL: password authentication failed for user \"hub\""}),
            Trouble::refused_login);
}

// The primary is gone, and the standby not promoted yet.
TEST(Trouble, OfSeveralHostsIsThatOfTheOneThatAnswers) {
  EXPECT_EQ(trouble_of({"",
                        "connection to server at \"a\" failed: Connection refused connection to "
                        "server at \"b\" failed: session is read-only"}),
            Trouble::read_only);
}

TEST(Trouble, OfAPoolerIsWhatItPassesOn) {
  EXPECT_EQ(trouble_of({"08P01", "no more connections allowed (max_client_conn)"}),
            Trouble::out_of_connections);
  EXPECT_EQ(trouble_of({"08P01", "server conn crashed?"}), Trouble::unreachable);
  EXPECT_EQ(trouble_of({"", "FATAL: no such database: hub"}), Trouble::refused_login);
}

TEST(Trouble, MayPassUnlessTheHubIsSetUpWrongly) {
  EXPECT_TRUE(may_pass(Trouble::unreachable));
  EXPECT_TRUE(may_pass(Trouble::ended));
  EXPECT_TRUE(may_pass(Trouble::silent));
  EXPECT_TRUE(may_pass(Trouble::read_only));
  EXPECT_TRUE(may_pass(Trouble::out_of_connections));
  EXPECT_FALSE(may_pass(Trouble::refused_login));
  EXPECT_FALSE(may_pass(Trouble::not_permitted));
  EXPECT_FALSE(may_pass(Trouble::not_initialised));
}

}  // namespace
}  // namespace hub::storage
