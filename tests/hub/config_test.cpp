#include "hub/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "hub/config_options.h"
#include "tests/support/temporary_directory.h"

namespace hub {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class ConfigTest : public ::testing::Test {
 protected:
  // What a file with this text gives.
  LoadedConfig from_file(const std::string& text) {
    directory_.write("hub.toml", text);
    return load_config({.file = file_, .environment = {}, .flags = {}});
  }
  [[nodiscard]] std::string at(const std::string& place, const std::string& text) const {
    return file_.string() + ":" + place + ": " + text;
  }

  test::TemporaryDirectory directory_;
  const std::filesystem::path file_ = directory_.path() / "hub.toml";
};

TEST_F(ConfigTest, HasDefaultsForEverything) {
  const auto loaded = load_config({});
  EXPECT_THAT(loaded.problems, IsEmpty());
  EXPECT_EQ(loaded.config.bind, "127.0.0.1");
  EXPECT_EQ(loaded.config.mqtt.port, 1883);
  EXPECT_EQ(loaded.config.data_dir, "data");
}

TEST_F(ConfigTest, AFlagGoesBeforeTheEnvironmentThatBeforeTheFile) {
  const auto file =
      directory_.write("hub.toml", "[mqtt]\nport = 1001\n[storage]\nbatch_rows = 1\n");
  ConfigSources sources{.file = file, .environment = {}, .flags = {}};
  EXPECT_EQ(load_config(sources).config.mqtt.port, 1001);
  sources.environment = {{"IOTHUB_MQTT_PORT", "1002"}};
  EXPECT_EQ(load_config(sources).config.mqtt.port, 1002);
  sources.flags = {{"mqtt.port", "1003"}};
  EXPECT_EQ(load_config(sources).config.mqtt.port, 1003);
  EXPECT_EQ(load_config(sources).config.storage.batch_rows, 1u);
}

TEST_F(ConfigTest, ACapOnTheDaysMessagesNeedsAMeter) {
  EXPECT_THAT(from_file("max_daily_messages = 5\n").problems,
              ElementsAre(HasSubstr("there is no meter that counts them")));
  EXPECT_THAT(from_file("max_daily_messages = 5\nmeter = \"m\"\n").problems, IsEmpty());
}

TEST_F(ConfigTest, EveryOptionReadsItsOwnDefaultBack) {
  const Config defaults;
  for (const auto& option : config_options()) {
    Config config;
    EXPECT_TRUE(option.set(config, option.get(defaults))) << option.key;
    EXPECT_EQ(option.get(config), option.get(defaults)) << option.key;
  }
}

TEST_F(ConfigTest, EveryOptionHasNamesOfItsOwn) {
  std::set<std::string> flags, variables;
  for (const auto& option : config_options()) {
    EXPECT_TRUE(flags.insert(option.flag()).second) << option.key;
    EXPECT_TRUE(variables.insert(option.variable()).second) << option.key;
    EXPECT_EQ(find_config_option(option.key), &option);
  }
  EXPECT_TRUE(flags.contains("--mqtt-max-packet-bytes"));
  EXPECT_TRUE(variables.contains("IOTHUB_MQTT_MAX_PACKET_BYTES"));
}

TEST_F(ConfigTest, ReadsSizesAndTimesWithUnits) {
  const auto loaded = from_file(
      "[mqtt]\nmax_packet_bytes = 2048\nmax_queued_bytes = \"64 KiB\"\n"
      "session_expiry_max = \"3h\"\nconnect_timeout = 5\n");
  EXPECT_THAT(loaded.problems, IsEmpty());
  EXPECT_EQ(loaded.config.mqtt.max_packet_bytes, 2048u);
  EXPECT_EQ(loaded.config.mqtt.max_queued_bytes, 65'536u);
  EXPECT_EQ(loaded.config.mqtt.session_expiry_max, 3h);
  EXPECT_EQ(loaded.config.mqtt.connect_timeout, 5s);
}

TEST_F(ConfigTest, AnUnknownKeyIsRefusedAtItsPlaceWithALikelyOne) {
  const auto loaded =
      from_file("log_level = \"info\"\nlog_levle = \"info\"\n\n[mqtt]\n  prot = 1\n");
  EXPECT_THAT(loaded.problems,
              ElementsAre(at("2:1", "there is no key log_levle; did you mean log_level?"),
                          at("5:3", "there is no key mqtt.prot; did you mean mqtt.port?")));
}

TEST_F(ConfigTest, ProblemsComeInTheOrderOfTheFile) {
  EXPECT_THAT(from_file("shards = -1\nport = 1\nbind = 7\n").problems,
              ElementsAre(HasSubstr(":1:10: shards"),
                          at("2:1", "there is no key port; did you mean mqtt.port?"),
                          HasSubstr(":3:8: bind")));
}

TEST_F(ConfigTest, AnUnknownSectionIsRefused) {
  EXPECT_THAT(from_file("[mqqt]\nport = 1\n").problems,
              ElementsAre(HasSubstr(":1:2: there is no section mqqt; did you mean mqtt?")));
  EXPECT_THAT(from_file("[mqtt.port]\nx = 1\n").problems,
              ElementsAre(HasSubstr("mqtt.port = (table): expected a number")));
}

TEST_F(ConfigTest, ABadValueIsRefusedAtItsPlace) {
  EXPECT_THAT(from_file("[mqtt]\nport = 70000\n").problems,
              ElementsAre(at("2:8", "mqtt.port = 70000: expected a number from 0 to 65535")));
  EXPECT_THAT(from_file("shards = 1.5\n").problems,
              ElementsAre(at("1:10", "shards = 1.5: expected a number from 0 to 256")));
  EXPECT_THAT(from_file("[mqtt]\nport = \"1883\"\n").problems,
              ElementsAre(HasSubstr(":2:8: mqtt.port = \"1883\": expected a number")));
  EXPECT_THAT(from_file("bind = \"localhost\"\n").problems,
              ElementsAre(HasSubstr("expected an IPv4 or IPv6 address")));
  EXPECT_THAT(from_file("shards = [1]\n").problems,
              ElementsAre(HasSubstr(":1:10: shards = (array): expected a number")));
  EXPECT_THAT(from_file("log_level = \"loud\"\n").problems,
              ElementsAre(HasSubstr("log_level = \"loud\": expected debug, info")));
  EXPECT_THAT(from_file("[mqtt]\nmax_packet_bytes = \"1 GiB\"\n").problems,
              ElementsAre(HasSubstr("expected a size from 1 KiB to 268435460B")));
  EXPECT_THAT(from_file("[mqtt]\nconnect_timeout = \"soon\"\n").problems,
              ElementsAre(HasSubstr("expected a time from 1s to 1h")));
  EXPECT_THAT(from_file("allow_anonymous = \"yes\"\n").problems,
              ElementsAre(HasSubstr("expected true or false")));
  EXPECT_THAT(from_file("data_dir = \"\"\n").problems,
              ElementsAre(HasSubstr("expected a directory")));
}

TEST_F(ConfigTest, EveryMistakeIsReportedAtOnce) {
  const auto file = directory_.write("hub.toml", "shards = -1\nnonsense = 1\n");
  const auto loaded = load_config({.file = file,
                                   .environment = {{"IOTHUB_MQTT_PORT", "tcp://10.0.0.1"}},
                                   .flags = {{"mqtt.receive_maximum", "0"}}});
  EXPECT_EQ(loaded.problems.size(), 4u);
  EXPECT_THAT(loaded.problems,
              ::testing::Contains("the environment's IOTHUB_MQTT_PORT=tcp://10.0.0.1: expected a "
                                  "number from 0 to 65535"));
  EXPECT_THAT(loaded.problems,
              ::testing::Contains("--mqtt-receive-maximum 0: expected a number from 1 to 65535"));
}

TEST_F(ConfigTest, ASyntaxErrorNamesItsPlace) {
  EXPECT_THAT(from_file("bind = \n").problems, ElementsAre(HasSubstr(file_.string() + ":1:")));
}

TEST_F(ConfigTest, AFileThatCannotBeReadIsAProblem) {
  const auto loaded = load_config({.file = "/no/such/hub.toml", .environment = {}, .flags = {}});
  EXPECT_THAT(loaded.problems, ElementsAre("configuration file /no/such/hub.toml: cannot be read: "
                                           "No such file or directory"));
  const std::string directory = directory_.path().string();
  EXPECT_THAT(load_config({.file = directory, .environment = {}, .flags = {}}).problems,
              ElementsAre("configuration file " + directory + ": cannot be read: Is a directory"));
}

TEST_F(ConfigTest, PathsInAFileStartAtItsDirectory) {
  const auto loaded = from_file("rules = \"rules.toml\"\ndata_dir = \"/var/lib/iothub\"\n");
  EXPECT_EQ(loaded.config.rules, directory_.path() / "rules.toml");
  EXPECT_EQ(loaded.config.data_dir, "/var/lib/iothub");
}

TEST_F(ConfigTest, AnUnknownVariableIsOnlyAWarningWhenItLooksLikeASlip) {
  const auto loaded = load_config({.file = {},
                                   .environment = {{"IOTHUB_MQTT_PROT", "1"},
                                                   {"IOTHUB_SERVICE_HOST_OF_A_CLUSTER", "x"},
                                                   {"IOTHUB_CONFIG", "x"}},
                                   .flags = {}});
  EXPECT_THAT(loaded.problems, IsEmpty());
  EXPECT_THAT(loaded.warnings, ElementsAre(HasSubstr("IOTHUB_MQTT_PROT, which means nothing; did "
                                                     "you mean IOTHUB_MQTT_PORT?")));
}

TEST_F(ConfigTest, AnonymousAccessFromElsewhereMustBeAskedFor) {
  EXPECT_THAT(from_file("bind = \"0.0.0.0\"\n").problems,
              ElementsAre(AllOf(StartsWith(file_.string() + ":1:8: bind = \"0.0.0.0\": "),
                                HasSubstr("allow_anonymous = true"))));
  EXPECT_THAT(
      load_config({.file = {}, .environment = {{"IOTHUB_BIND", "::"}}, .flags = {}}).problems,
      ElementsAre(StartsWith("the environment's IOTHUB_BIND=::: ")));
  EXPECT_THAT(load_config({.file = {}, .environment = {}, .flags = {{"bind", "::"}}}).problems,
              ElementsAre(StartsWith("--bind ::: ")));
  EXPECT_THAT(from_file("bind = \"::\"\n").problems, ::testing::SizeIs(1));
  EXPECT_THAT(from_file("bind = \"0.0.0.0\"\nallow_anonymous = true\n").problems, IsEmpty());
  for (const auto* loopback : {"127.0.0.1", "127.1.2.3", "::1"}) {
    EXPECT_THAT(from_file("bind = \"" + std::string(loopback) + "\"\n").problems, IsEmpty());
  }
}

TEST_F(ConfigTest, NoPasswordIsShown) {
  EXPECT_EQ(without_password("postgresql://hub:se@cret@db:5432/iot?a=b"),
            "postgresql://hub:***@db:5432/iot?a=b");
  EXPECT_EQ(without_password("postgresql://hub@db/iot?password=secret&x=1"),
            "postgresql://hub@db/iot?password=***&x=1");
  EXPECT_EQ(without_password("host=db password='se cr\\'et' user=hub"),
            "host=db password=*** user=hub");
  EXPECT_EQ(without_password("postgresql://hub:pa/ss@db/iot"), "postgresql://hub:***@db/iot");
  EXPECT_EQ(without_password("postgresql://iothub@/iothub?host=/run/x"),
            "postgresql://iothub@/iothub?host=/run/x");
  EXPECT_EQ(without_password("password=secret"), "password=***");
  EXPECT_THAT(from_file("database = \"mysql://hub:secret@db/iot\"\n").problems,
              ElementsAre(::testing::Not(HasSubstr("secret"))));
}

TEST(Config, OutageIsHoldOrSpool) {
  ConfigSources sources;
  EXPECT_EQ(load_config(sources).config.storage.outage, Config::Outage::hold);
  sources.flags = {{"storage.outage", "spool"}, {"storage.spool_size", "16 MiB"}};
  const LoadedConfig spools = load_config(sources);
  EXPECT_TRUE(spools.problems.empty());
  EXPECT_EQ(spools.config.storage.outage, Config::Outage::spool);
  EXPECT_EQ(spools.config.storage.spool_size, 16u << 20);
  sources.flags = {
      {"storage.outage", "spill"}, {"storage.spool_size", "1 MiB"}, {"storage.spool_after", "0s"}};
  EXPECT_EQ(load_config(sources).problems.size(), 3u);
}

}  // namespace
}  // namespace hub
