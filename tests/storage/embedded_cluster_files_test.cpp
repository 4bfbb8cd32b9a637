#include "storage/embedded_cluster_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/postgres_installation.h"

namespace hub::storage {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(SocketPath, MustFitSockaddrUnAndNeedNoQuoting) {
  EXPECT_TRUE(fits_socket_path("/srv/iothub/data/socket"));
  // 107 bytes with "/.s.PGSQL.5432", and one more.
  EXPECT_TRUE(fits_socket_path("/" + std::string(92, 'a')));
  EXPECT_FALSE(fits_socket_path("/" + std::string(93, 'a')));
  for (const auto* bad : {"/a b", "/a,b", "/a'b", "/ä", "/a%b", "/a?b"}) {
    EXPECT_FALSE(fits_socket_path(bad)) << bad;
  }
}

TEST(SocketPath, ElsewhereIsShortAndTheSameAtEveryStart) {
  const std::string long_path(300, 'x');
  EXPECT_TRUE(fits_socket_path(far_socket_directory("/" + long_path, 0)));
  EXPECT_TRUE(fits_socket_path(far_socket_directory("/" + long_path, 4'294'967'294)));
  EXPECT_EQ(far_socket_directory("/a", 1000), far_socket_directory("/a", 1000));
  EXPECT_NE(far_socket_directory("/a", 1000), far_socket_directory("/b", 1000));
}

TEST(ClusterFiles, NameOnlyTheUsersWhoMayBeTheRole) {
  EXPECT_THAT(cluster_people({"root", "anna"}),
              EndsWith("iothub \"root\" iothub\niothub \"anna\" iothub\n"));
  EXPECT_THAT(cluster_access_rules(), AllOf(Not(HasSubstr("trust")), Not(HasSubstr("host "))));
}

TEST(PostmasterPid, IsReadyOnlyWhenItSaysSo) {
  const std::string text = "4711\n/data\n1795218124\n5432\n/run\n\n 111 4\nready   \n";
  EXPECT_EQ(server_state(text).pid, 4711);
  EXPECT_TRUE(server_state(text).ready);
  const auto starting = text.substr(0, text.rfind("ready")) + "starting\n";
  EXPECT_FALSE(server_state(starting).ready);
  EXPECT_FALSE(server_state("4711\n").ready);
  EXPECT_EQ(server_state("").pid, 0);
  EXPECT_EQ(server_state("garbage").pid, 0);
}

TEST(PostgresInstallation, IsTheClustersOwnVersionOrTheNewest) {
  const std::vector<PostgresInstallation> installed{{"/16", 16}, {"/15", 15}};
  EXPECT_EQ(choose_installation(installed, std::nullopt, "/data").programs, "/16");
  EXPECT_EQ(choose_installation(installed, 15, "/data").programs, "/15");
}

std::string refusal(const std::vector<PostgresInstallation>& installed,
                    std::optional<int> cluster_version) {
  try {
    static_cast<void>(choose_installation(installed, cluster_version, "/srv/data/postgres"));
  } catch (const EmbeddedDatabaseError& error) {
    return error.what();
  }
  return "none";
}

TEST(PostgresInstallation, SaysWhatToInstall) {
  EXPECT_THAT(refusal({}, std::nullopt),
              AllOf(HasSubstr("apt-get install postgresql,"), HasSubstr("--database")));
  EXPECT_THAT(refusal({{"/15", 15}}, 13),
              AllOf(HasSubstr("/srv/data/postgres was made by PostgreSQL 13"),
                    HasSubstr("installed here is 15"), HasSubstr("postgresql-13")));
  EXPECT_THAT(refusal({{"/old", 11}}, std::nullopt), HasSubstr("needs 14 or newer"));
}

TEST(PostgresInstallation, OfThisMachineIsFound) {
  const auto installed = PostgresInstallation::find_all();
  ASSERT_FALSE(installed.empty());
  EXPECT_GE(installed.front().major_version, kOldestPostgres);
}

}  // namespace
}  // namespace hub::storage
