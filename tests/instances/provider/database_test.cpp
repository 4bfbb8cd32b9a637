#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <csignal>

#include "instances/databases/cluster_admin.h"
#include "instances/provider/namespaces.h"
#include "instances/provider/process_handle.h"
#include "instances/provider/program.h"
#include "storage/postgres_installation.h"
#include "tests/instances/provider/machine.h"

namespace hub::instances::testing {
namespace {

using State = ProcessStatus::State;

class DatabaseInstance : public Machine {
 protected:
  void SetUp() override {
    Machine::SetUp();
    if (HasFatalFailure()) return;
    make_vpc("a");
    make_port("db", "a", "10.1.1.20", {allow(Direction::inbound, Protocol::tcp, 5432)});
    make_port("client", "a", "10.1.1.10", allow_all());
    spec_.limits.memory_mb = 256;
    spec_.limits.max_connections = 7;
    admin_url_ = provider_->ensure_database(spec_).admin_url;
    ASSERT_EQ(as_admin("CREATE ROLE app LOGIN PASSWORD 'secret';"
                       "CREATE DATABASE plant OWNER app;")
                  .exit_code,
              0);
  }

  [[nodiscard]] ProgramResult psql(const std::string& url, const std::string& statements) const {
    const auto programs = storage::PostgresInstallation::find_all().front().programs;
    return run_program({{(programs / "psql").string(), "--no-psqlrc", "--quiet", "--tuples-only",
                         "--no-align", "--set=ON_ERROR_STOP=1", "--dbname=" + url, "--file=-"},
                        statements});
  }
  [[nodiscard]] ProgramResult as_admin(const std::string& statements) const {
    return psql(admin_url_, statements);
  }
  // As another instance of the VPC would.
  [[nodiscard]] ProgramResult as_app(const std::string& statements,
                                     const std::string& user = "app") const {
    const NamespaceScope inside(port_namespace("client"));
    return psql("postgresql://" + user + ":secret@10.1.1.20/plant?connect_timeout=5", statements);
  }

  DatabaseSpec spec_{.instance_id = "db", .port = 5432, .limits = {}};
  std::string admin_url_;
};

TEST_F(DatabaseInstance, ServesItsVpcByPassword) {
  const auto answer = as_app("CREATE TABLE t (v int); INSERT INTO t VALUES (42); SELECT v FROM t;");
  EXPECT_EQ(answer.output, "42\n") << answer.error;
}

TEST_F(DatabaseInstance, SuperuserAndStrangersComeInByNoNetwork) {
  ASSERT_EQ(as_admin("ALTER ROLE postgres PASSWORD 'secret';").exit_code, 0);
  EXPECT_THAT(as_app("SELECT 1;", "postgres").error, ::testing::HasSubstr("reject"));
  EXPECT_NE(as_app("SELECT 1;", "nobody").exit_code, 0);
}

TEST_F(DatabaseInstance, ItsSocketAndFilesAreClosedToOtherUsers) {
  const auto home = options_.data_dir / "databases/db/home";
  struct stat stat{};
  ASSERT_EQ(::stat(home.c_str(), &stat), 0);
  EXPECT_EQ(stat.st_mode & 07777, 0700U);
  EXPECT_NE(stat.st_uid, 0U);
}

TEST_F(DatabaseInstance, TrafficRulesHoldForIt) {
  make_port("db", "a", "10.1.1.20", {});
  EXPECT_THAT(as_app("SELECT 1;").error, ::testing::HasSubstr("Connection refused"));
  EXPECT_EQ(as_admin("SELECT 1;").exit_code, 0);
}

TEST_F(DatabaseInstance, LimitsAreApplied) {
  EXPECT_EQ(as_admin("SHOW max_connections;").output, "10\n");  // and three for the control plane
  EXPECT_EQ(as_admin("SHOW shared_buffers;").output, "64MB\n");
}

TEST_F(DatabaseInstance, RepeatedCallLeavesItRunningAndOtherLimitsRestartIt) {
  const int pid = provider_->status("db").pid;
  EXPECT_EQ(provider_->ensure_database(spec_).admin_url, admin_url_);
  EXPECT_EQ(provider_->status("db").pid, pid);
  spec_.limits.max_connections = 17;
  provider_->ensure_database(spec_);
  EXPECT_NE(provider_->status("db").pid, pid);
  EXPECT_EQ(as_admin("SHOW max_connections;").output, "20\n");
}

TEST_F(DatabaseInstance, DataSurviveAKillAndARestartOfTheControlPlane) {
  ASSERT_EQ(as_app("CREATE TABLE t (v int); INSERT INTO t VALUES (42);").exit_code, 0);
  const int pid = provider_->status("db").pid;
  ProcessHandle::open(pid)->signal(SIGKILL);
  ASSERT_TRUE(eventually([&] {
    const auto status = provider_->status("db");
    return status.state == State::running && status.pid != pid;
  }));
  restart_provider();
  provider_->ensure_database(spec_);
  EXPECT_EQ(as_app("SELECT v FROM t;").output, "42\n");
}

TEST_F(DatabaseInstance, BackupIsReadBackIntoAnEmptyDatabase) {
  ASSERT_EQ(
      as_app("CREATE TABLE t (v int); INSERT INTO t SELECT generate_series(1, 1000);").exit_code,
      0);
  const auto file = data_.path() / "plant.backup";
  provider_->backup_database("db", "plant", file);
  struct stat stat{};
  ASSERT_EQ(::stat(file.c_str(), &stat), 0);
  EXPECT_EQ(stat.st_mode & 07777, 0600U);

  ASSERT_EQ(as_admin("DROP DATABASE plant;").exit_code, 0);
  ASSERT_EQ(as_admin("CREATE DATABASE plant OWNER app;").exit_code, 0);
  provider_->restore_database("db", "plant", file);
  EXPECT_EQ(as_app("SELECT count(*), sum(v) FROM t;").output, "1000|500500\n");
  EXPECT_EQ(as_app("ALTER TABLE t ADD w int;").exit_code, 0);  // it is the owner's again
}

TEST_F(DatabaseInstance, BackupThatFailsLeavesNoFile) {
  const auto file = data_.path() / "none.backup";
  EXPECT_THROW(provider_->backup_database("db", "none", file), ProviderError);
  EXPECT_THROW(provider_->restore_database("db", "none", file), ProviderError);
  for (const auto& entry : std::filesystem::directory_iterator(data_.path()))
    EXPECT_EQ(entry.path(), options_.data_dir);
}

TEST_F(DatabaseInstance, ReadOnlyHoldsForAllButTheControlPlaneUntilItIsLifted) {
  ASSERT_EQ(as_app("CREATE TABLE t (v int);").exit_code, 0);
  const auto clusters = make_cluster_admin({});
  for (int i = 0; i < 2; ++i) clusters->set_read_only(admin_url_, true);
  ASSERT_TRUE(eventually([&] { return as_app("INSERT INTO t VALUES (1);").exit_code != 0; }));
  EXPECT_THAT(as_app("INSERT INTO t VALUES (1);").error, ::testing::HasSubstr("read-only"));
  EXPECT_EQ(as_app("SELECT count(*) >= 0 FROM t;").output, "t\n");
  EXPECT_EQ(as_app("BEGIN READ WRITE; DELETE FROM t; COMMIT;").exit_code, 0) << "room can be made";
  EXPECT_EQ(as_admin("CREATE ROLE late LOGIN;").exit_code, 0);

  restart_provider();
  provider_->ensure_database(spec_);
  EXPECT_NE(as_app("INSERT INTO t VALUES (1);").exit_code, 0);

  for (int i = 0; i < 2; ++i) clusters->set_read_only(admin_url_, false);
  EXPECT_TRUE(eventually([&] { return as_app("INSERT INTO t VALUES (2);").exit_code == 0; }));
}

TEST_F(DatabaseInstance, StorageIsMeasured) {
  const auto before = provider_->storage_bytes("db");
  EXPECT_GT(before, 1U << 20);
  ASSERT_EQ(as_app("CREATE TABLE t AS SELECT repeat('x', 1000) FROM generate_series(1, 10000);")
                .exit_code,
            0);
  EXPECT_GT(provider_->storage_bytes("db"), before + (10U << 20));
  EXPECT_EQ(provider_->storage_bytes("none"), 0U);
}

}  // namespace
}  // namespace hub::instances::testing
