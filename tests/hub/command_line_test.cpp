#include "hub/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "hub/config_options.h"

namespace hub {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
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

TEST(CommandLine, NamesEachCommand) {
  EXPECT_EQ(call({"serve"}).line().command, Command::serve);
  EXPECT_EQ(call({"check"}).line().command, Command::check);
  EXPECT_EQ(call({"db", "init"}).line().command, Command::db_init);
  EXPECT_EQ(call({"db", "status"}).line().command, Command::db_status);
  EXPECT_EQ(call({"db", "script"}).line().command, Command::db_script);
  EXPECT_EQ(call({"db", "url"}).line().command, Command::db_url);
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
