// The program as a person starts it: its commands, its configuration, its start and its end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>

#include "tests/support/hub_process.h"

namespace hub::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

class Program : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::permissions(directory_.path(), std::filesystem::perms(0755));
  }

  [[nodiscard]] Outcome run(std::vector<std::string> arguments,
                            std::vector<std::string> environment = {}) const {
    arguments.insert(arguments.begin(), built_program("iothub"));
    return run_program(arguments, {.environment = std::move(environment),
                                   .directory = directory_.path().string()});
  }

  TemporaryDirectory directory_;
};

TEST_F(Program, ExplainsItselfAndItsVersion) {
  const auto help = run({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(help.out, HasSubstr("iothub serve"));
  EXPECT_THAT(run({"--version"}).out, MatchesRegex("iothub [0-9.]+\n"));
  EXPECT_EQ(run({"serve", "--no-such-flag"}).exit_code, 2);
  EXPECT_EQ(run({"serve", "--mqtt-port", "many"}).exit_code, 2);
}

TEST_F(Program, RefusesAWrongConfigurationBeforeItTouchesAnything) {
  directory_.write("hub.toml", "[mqtt]\nprot = 1\nport = 70000\n");
  for (const auto* command : {"serve", "check"}) {
    const auto outcome = run({command, "--config", "hub.toml"});
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(outcome.out + outcome.err,
                AllOf(HasSubstr("hub.toml:2:1: there is no key mqtt.prot; did you mean mqtt.port?"),
                      HasSubstr("hub.toml:3:8: mqtt.port = 70000: expected")));
  }
  EXPECT_FALSE(std::filesystem::exists(directory_.path() / "data"));
}

TEST_F(Program, RefusesToServeStrangersUnasked) {
  const auto outcome = run({"serve", "--bind", "0.0.0.0"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("allow_anonymous = true"));
}

TEST_F(Program, ADatabaseThatCannotBeReachedIsAnErrorOfACommand) {
  const std::string database = "--database=postgresql://u:hidden@/x?host=/no/such/place";
  for (const auto* verb : {"init", "status"}) {
    const auto outcome = run({"db", verb, database});
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(outcome.err, AllOf(HasSubstr("/no/such/place"), Not(HasSubstr("hidden"))));
  }
  const auto checked = run({"check", database});
  EXPECT_EQ(checked.exit_code, 1);
  EXPECT_THAT(checked.out, AllOf(HasSubstr("/no/such/place"), Not(HasSubstr("hidden"))));
}

TEST_F(Program, HasNoDatabaseToShowBeforeTheFirstStart) {
  const auto outcome = run({"db", "url"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("iothub serve"));
  EXPECT_EQ(outcome.out, "");
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"ledger"}, {"deadletter", "list"}, {"deadletter", "replay"}}) {
    const auto reader = run(command);
    EXPECT_EQ(reader.exit_code, 1);
    EXPECT_EQ(reader.err, outcome.err);
  }
  EXPECT_FALSE(std::filesystem::exists(directory_.path() / "data"));
}

TEST_F(Program, TheDatabaseCommandsNeedNoRunningHub) {
  const auto before = run({"db", "status"});
  EXPECT_EQ(before.exit_code, 1);
  EXPECT_THAT(before.out, HasSubstr("missing"));
  const auto init = run({"db", "init"});
  EXPECT_EQ(init.exit_code, 0);
  EXPECT_THAT(init.out, StartsWith("applied 0001_"));
  EXPECT_THAT(run({"db", "init"}).out, StartsWith("nothing to do: "));
  const auto after = run({"db", "status"});
  EXPECT_EQ(after.exit_code, 0);
  EXPECT_THAT(after.out, Not(HasSubstr("missing")));
}

TEST_F(Program, TheScriptInitialisesADatabaseByPsql) {
  HubProcess hub({});
  psql(hub.database_url(), "create database other");
  auto other = hub.database_url();
  other.replace(other.find("/iothub?"), 8, "/other?");
  const auto script = run({"db", "script"});
  ASSERT_EQ(script.exit_code, 0);
  const auto file = directory_.write("script.sql", script.out).string();
  EXPECT_THAT(run({"db", "status", "--database", other}).out, HasSubstr("missing"));
  for (int time = 0; time < 2; ++time) {  // it may be run again
    const auto outcome = run_program(
        {"psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file", file, other});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  }
  const auto status = run({"db", "status", "--database", other});
  EXPECT_EQ(status.exit_code, 0) << status.out << status.err;
}

TEST_F(Program, ServesUntilItIsToldToStop) {
  HubProcess hub({});
  EXPECT_THAT(hub.ready_line(), HasSubstr("rules=1"));
  EXPECT_EQ(psql(hub.database_url(), "select count(*) from telemetry"), "0");
  EXPECT_EQ(hub.stop(), 0);
}

TEST_F(Program, ASecondHubOnTheSameDataIsRefused) {
  HubProcess hub({});
  const auto second = run({"serve", "--mqtt-port=0", "--data-dir=" + hub.data_directory()});
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.err, AllOf(HasSubstr("another hub uses it"),
                                HasSubstr("process " + std::to_string(hub.pid()))));
  EXPECT_TRUE(hub.running());
}

TEST_F(Program, APortInUseIsRefused) {
  HubProcess hub({});
  const auto second = run({"serve", "--mqtt-port=" + std::to_string(hub.port())});
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.err, HasSubstr(std::to_string(hub.port())));
}

TEST_F(Program, TheCommandsJoinTheDatabaseOfARunningHub) {
  HubProcess hub({});
  const auto data = "--data-dir=" + hub.data_directory();
  EXPECT_EQ(run({"db", "status", data}).exit_code, 0);
  const auto check = run({"check", data});
  EXPECT_EQ(check.exit_code, 0) << check.out << check.err;
  EXPECT_THAT(check.out, StartsWith("ok: 1 rule, "));
  EXPECT_TRUE(hub.running());
}

TEST_F(Program, CheckShowsEveryMistakeOfTheRulesAtItsPlace) {
  directory_.write("rules.toml", R"([[rule]]
name = "a"
sql = 'SELECT nothing_known AS device FROM "devices/+/telemetry"'
[[rule.action]]
type = "dump"
table = "telemetry"
[[rule]]
name = "b"
sql = 'SELECT clientid AS device FROM "devices/+/telemetry"'
[[rule.action]]
type = "dump"
table = "telemetri"
[[rule]]
name = "c"
sql = 'SELECT clientid AS device, topic FROM "devices/+/telemetry"'
[[rule.action]]
type = "dump"
table = "telemetry"
key = ["device"]
)");
  const auto outcome = run({"check", "--rules", "rules.toml"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("rules.toml:3:"), HasSubstr("rules.toml:12:"),
                                 HasSubstr("there is no table \"telemetri\"; there are: "),
                                 HasSubstr("rules.toml:19:9: table telemetry has no unique index"),
                                 HasSubstr("problems\n")));
  const auto served = run({"serve", "--rules", "rules.toml", "--mqtt-port=0"});
  EXPECT_EQ(served.exit_code, 1);
  EXPECT_THAT(served.err, HasSubstr("rules.toml:3:"));
}

TEST_F(Program, FlagsGoBeforeTheEnvironmentThatBeforeTheFile) {
  const auto file =
      directory_.write("hub.toml", "log_level = \"debug\"\nrules = \"no-such-file.toml\"\n")
          .string();
  const auto rule = directory_
                        .write("rules.toml", R"([[rule]]
name = "a"
sql = 'SELECT clientid FROM "x"'
[[rule.action]]
type = "republish"
topic = "y"
)")
                        .string();
  EXPECT_EQ(run({"check", "--config", file}).exit_code, 1);
  EXPECT_EQ(run({"check", "--config", file}, {"IOTHUB_RULES=" + rule}).exit_code, 0);
  EXPECT_EQ(
      run({"check", "--rules", rule}, {"IOTHUB_CONFIG=" + file, "IOTHUB_RULES=/no"}).exit_code, 0);
}

TEST_F(Program, ComesBackAfterAKillWithItsData) {
  HubProcess hub({});
  psql(hub.database_url(), "create table t as select 1 as a");
  hub.kill();
  hub.start();
  EXPECT_EQ(psql(hub.database_url(), "select a from t"), "1");
}

TEST_F(Program, TellsTheServiceManager) {
  const auto path = (directory_.path() / "notify").string();
  const FileDescriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  HubProcess hub({.environment = {"NOTIFY_SOCKET=" + path}});
  hub.stop();
  std::string said;
  std::array<char, 256> text{};
  for (ssize_t size = 0;
       (size = ::recv(socket.get(), text.data(), text.size(), MSG_DONTWAIT)) > 0;) {
    said += std::string(text.data(), static_cast<std::size_t>(size)) + ";";
  }
  EXPECT_EQ(said, "READY=1\nSTATUS=;STOPPING=1;");
}

}  // namespace
}  // namespace hub::test
