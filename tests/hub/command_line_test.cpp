#include "hub/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "hub/config_options.h"

namespace hub {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

struct Call {
  std::variant<CommandLine, int> result;
  std::string out;
  std::string err;

  [[nodiscard]] const CommandLine& line() const { return std::get<CommandLine>(result); }
  [[nodiscard]] int status() const { return std::get<int>(result); }
};

Call call(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "iothub");
  std::ostringstream out, err;
  auto result = parse_command_line(static_cast<int>(arguments.size()), arguments.data(), out, err);
  return {std::move(result), out.str(), err.str()};
}

TEST(CommandLine, SaysWhichCommandThereIsNot) {
  for (const auto& [arguments, said] :
       std::vector<std::pair<std::vector<const char*>, const char*>>{
           {{"serv"}, "there is no command serv; did you mean serve?"},
           {{"db", "statsu"}, "there is no command statsu; did you mean status?"},
           {{"deadletter", "zap", "7"}, "there is no command zap"}}) {
    const auto made = call(arguments);
    EXPECT_EQ(made.status(), kUsageError);
    EXPECT_THAT(made.err, HasSubstr(said));
  }
}

TEST(CommandLine, NamesEachCommand) {
  EXPECT_EQ(call({"serve"}).line().command, Command::serve);
  EXPECT_EQ(call({"check"}).line().command, Command::check);
  EXPECT_EQ(call({"db", "init"}).line().command, Command::db_init);
  EXPECT_EQ(call({"db", "status"}).line().command, Command::db_status);
  EXPECT_EQ(call({"db", "script"}).line().command, Command::db_script);
  EXPECT_EQ(call({"db", "url"}).line().command, Command::db_url);
  EXPECT_EQ(call({"ledger"}).line().command, Command::ledger);
  EXPECT_EQ(call({"deadletter", "list"}).line().command, Command::deadletter_list);
  EXPECT_EQ(call({"deadletter", "show", "1"}).line().command, Command::deadletter_show);
  EXPECT_EQ(call({"deadletter", "replay"}).line().command, Command::deadletter_replay);
  EXPECT_EQ(call({"deadletter", "drop", "--all"}).line().command, Command::deadletter_drop);
  EXPECT_EQ(call({"metrics"}).line().command, Command::metrics);
}

TEST(CommandLine, GivesTheArgumentsOfTheLedger) {
  const auto made =
      call({"ledger", "--rule", "a b", "--device", "d1", "--gaps", "--json", "--data-dir", "/d"});
  EXPECT_EQ(made.line().ledger.rule, "a b");
  EXPECT_EQ(made.line().ledger.device, "d1");
  EXPECT_TRUE(made.line().ledger.gaps);
  EXPECT_TRUE(made.line().ledger.json);
  EXPECT_FALSE(made.line().ledger.devices);
  EXPECT_THAT(made.line().sources.flags, ElementsAre(Pair("data_dir", "/d")));
}

TEST(CommandLine, GivesWhichDeadLettersAreMeant) {
  const auto made = call({"deadletter", "replay", "7", "9", "--rule", "r", "--reason",
                          "row_refused", "--client", "d1", "--since", "2 hours ago", "--until",
                          "2026-01-31", "--limit", "5", "--rules", "rules.toml"});
  const DeadLetterArguments& arguments = made.line().dead_letters;
  EXPECT_THAT(arguments.ids, ElementsAre(7, 9));
  EXPECT_EQ(arguments.rule, "r");
  EXPECT_EQ(arguments.reason, "row_refused");
  EXPECT_EQ(arguments.client, "d1");
  EXPECT_EQ(arguments.since, "2 hours ago");
  EXPECT_EQ(arguments.until, "2026-01-31");
  EXPECT_EQ(arguments.limit, 5u);
  EXPECT_THAT(made.line().sources.flags, ElementsAre(Pair("rules", "rules.toml")));
  EXPECT_EQ(call({"deadletter", "show"}).status(), 2);
  EXPECT_THAT(call({"deadletter", "show", "x"}).err,
              HasSubstr("id x: expected a whole number above 0"));
  EXPECT_THAT(call({"deadletter", "list", "--limit", "-1"}).err,
              HasSubstr("--limit -1: expected a whole number above 0"));
  EXPECT_THAT(call({"deadletter", "list", "--reason", "typo"}).err,
              HasSubstr("--reason typo: expected payload_not_json, evaluation_failed, "));
  const auto drop = call({"deadletter", "drop"});
  EXPECT_EQ(drop.status(), 2);
  EXPECT_THAT(drop.err, HasSubstr("say --all, or which"));
  EXPECT_EQ(call({"deadletter", "drop", "--json", "--until", "now"}).line().dead_letters.until,
            "now");
  EXPECT_EQ(call({"deadletter"}).status(), 2);
}

TEST(CommandLine, GivesFlagsByTheirKeys) {
  const auto made = call({"serve", "--config", "hub.toml", "--bind", "::1", "--mqtt-port", "0",
                          "--data-dir=/d", "--allow-anonymous", "--log-level", "debug"});
  EXPECT_EQ(made.line().sources.file, "hub.toml");
  EXPECT_THAT(made.line().sources.flags,
              ::testing::UnorderedElementsAre(
                  Pair("bind", "::1"), Pair("mqtt.port", "0"), Pair("data_dir", "/d"),
                  Pair("allow_anonymous", "true"), Pair("log_level", "debug")));
  EXPECT_THAT(call({"db", "url", "--data-dir", "/d"}).line().sources.flags,
              ElementsAre(Pair("data_dir", "/d")));
}

TEST(CommandLine, EveryOptionIsAFlagAndInTheHelp) {
  const auto help = call({"serve", "--help"});
  EXPECT_EQ(help.status(), kSuccess);
  for (const auto& option : config_options()) {
    EXPECT_THAT(help.out, HasSubstr(option.flag()));
    if (option.argument.empty()) continue;
    EXPECT_EQ(call({"serve", option.flag().c_str(), "1"}).line().sources.flags.size(), 1u);
  }
  EXPECT_THAT(help.out, HasSubstr("A flag goes before\nthe environment, that before the file"));
}

TEST(CommandLine, HelpTeachesByExamples) {
  const auto help = call({"--help"});
  EXPECT_EQ(help.status(), kSuccess);
  EXPECT_THAT(help.out, HasSubstr("psql \"$(iothub db url)\""));
  EXPECT_THAT(help.out, HasSubstr("IOTHUB_MQTT_PORT"));
  EXPECT_EQ(help.err, "");
  const auto replay = call({"deadletter", "replay", "--help"});
  EXPECT_THAT(replay.out, HasSubstr("iothub deadletter replay --rules rules/"));
  for (const auto& arguments : std::vector<std::vector<const char*>>{
           {"deadletter", "list", "--help"}, {"metrics", "--help"}, {"db", "url", "--help"}}) {
    const auto other = call(arguments);
    EXPECT_THAT(other.out, HasSubstr("Exit status: "));
    EXPECT_THAT(other.out, Not(HasSubstr("iothub serve --config")));
  }
}

TEST(CommandLine, SaysItsVersion) {
  const auto version = call({"--version"});
  EXPECT_EQ(version.status(), kSuccess);
  EXPECT_THAT(version.out, ::testing::StartsWith("iothub "));
}

TEST(CommandLine, AMistakeIsAUsageErrorOnStandardError) {
  for (const auto& arguments :
       std::vector<std::vector<const char*>>{{},
                                             {"fly"},
                                             {"db"},
                                             {"db", "drop"},
                                             {"serve", "--mqtt-prot", "1"},
                                             {"serve", "--mqtt-port"},
                                             {"serve", "extra"},
                                             {"db", "url", "--mqtt-port", "1"}}) {
    const auto made = call(arguments);
    EXPECT_EQ(made.status(), kUsageError);
    EXPECT_EQ(made.out, "");
    EXPECT_NE(made.err, "");
  }
}

}  // namespace
}  // namespace hub
