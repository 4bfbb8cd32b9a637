// iothub deadletter: what a rule could not store is looked at, stored after all, or dropped.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "tests/e2e/hub_on_database.h"

namespace hub::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr const char* kDeadLetterTables =
    "CREATE TABLE climate (device text NOT NULL, t float8, note text);"
    "CREATE TABLE limited (device text NOT NULL, t float8 CHECK (t < 100), note text)";

std::string rules(std::string_view t, std::string_view tables = "climate") {
  return fmt::format(R"(
[[rule]]
name = "climate"
sql = 'SELECT clientid AS device, {} AS t FROM "t/#"'
[[rule.action]]
type = "dump"
table = "{}"
)",
                     t, tables);
}

class DeadLetters : public ::testing::Test {
 protected:
  void publish(std::string_view payload, std::string_view client = "d1") {
    RawMqttClient device(h.process().port());
    device.connect(client);
    h.publish(device, "t/1", payload);
  }
  // Dead letters: their numbers are texts.
  void publish_texts(int count) {
    RawMqttClient device(h.process().port());
    device.connect("d1");
    for (int i = 0; i < count; ++i) {
      device.publish("t/1", fmt::format(R"({{"t": "{}"}})", i), Qos::at_least_once,
                     static_cast<std::uint16_t>(i + 1));
    }
    for (int i = 0; i < count; ++i) static_cast<void>(device.expect(mqtt::PacketType::puback));
  }
  Outcome replay(std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"deadletter", "replay", "--rules", h.rules_file()});
    return h.run(more);
  }
  std::string ledger() {
    return h.query(
        "SELECT sum(received), sum(committed), sum(dead_lettered), sum(rows) FROM iothub.ledger");
  }

  HubOnDatabase h{kDeadLetterTables, rules("payload.t + 0")};
};

TEST_F(DeadLetters, AreListedAndShown) {
  publish(R"({"t": "warm"})");
  publish("not json", "d2");
  publish("\xFF", "d3");
  EXPECT_THAT(h.output({"deadletter", "list"}),
              AllOf(HasSubstr("evaluation_failed  payload.t + 0: '+' cannot take the text 'warm'"),
                    HasSubstr("payload_not_json")));
  EXPECT_THAT(h.output({"deadletter", "list", "--reason", "payload_not_json", "--client", "d2",
                        "--since", "1 hour ago", "--json"}),
              AllOf(HasSubstr("\"payload\":\"not json\""), HasSubstr("\"client_id\":\"d2\"")));
  EXPECT_EQ(h.output({"deadletter", "list", "--until", "1 hour ago", "--json"}), "");
  EXPECT_THAT(h.output({"deadletter", "show", "3"}),
              AllOf(HasSubstr("payload_base64 /w=="), HasSubstr("client_id      d3")));
  const Outcome unknown = h.run({"deadletter", "show", "3", "4", "5"});
  EXPECT_EQ(unknown.exit_code, 1);
  EXPECT_THAT(unknown.out, HasSubstr("client_id      d3"));
  EXPECT_EQ(unknown.err, "iothub: there is no dead letter 4, 5\n");
  for (const char* flag : {"--since", "--until"}) {
    const Outcome outcome = h.run({"deadletter", "list", flag, "no time"});
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_EQ(
        outcome.err,
        std::string(flag) + " no time: expected a time as '2026-01-31 12:00' or '2 hours ago'\n");
  }
}

TEST_F(DeadLetters, AreStoredOnceByTheRulesAsTheyAreNow) {
  publish(R"({"t": "21.5"})");
  publish(R"({"t": "warm"})");
  EXPECT_EQ(ledger(), "2|0|2|0");
  h.change_rules(rules("float(payload.t)"));
  const Outcome first = replay();
  EXPECT_EQ(first.exit_code, 1);
  EXPECT_EQ(first.out, "1 stored, 0 filtered, 0 with nothing to store, 1 failed again\n");
  EXPECT_EQ(h.query("SELECT device, t FROM climate"), "d1|21.5");
  EXPECT_EQ(h.query("SELECT attempts, reason, detail LIKE 'float(%' FROM iothub.dead_letter"),
            "1|evaluation_failed|t");
  EXPECT_EQ(ledger(), "2|1|1|1");
  EXPECT_EQ(replay().exit_code, 1);
  EXPECT_EQ(h.query("SELECT count(*) FROM climate"), "1");
  EXPECT_EQ(h.query("SELECT attempts FROM iothub.dead_letter"), "2");
  EXPECT_EQ(h.run({"ledger"}).exit_code, 0);
}

TEST_F(DeadLetters, KeepTheNewReasonWhenTheDatabaseRefusesThem) {
  publish(R"({"t": "500"})");
  publish(R"({"t": "50"})");
  h.change_rules(rules("float(payload.t)", "limited"));
  EXPECT_EQ(replay().out, "1 stored, 0 filtered, 0 with nothing to store, 1 failed again\n");
  EXPECT_EQ(h.query("SELECT t FROM limited"), "50");
  EXPECT_EQ(h.query("SELECT reason, sqlstate, attempts FROM iothub.dead_letter"),
            "row_refused|23514|1");
  EXPECT_EQ(ledger(), "2|1|1|1");
}

// As when --rules are forgotten: the reason is not lost for it.
TEST_F(DeadLetters, OfARuleThatIsNotThereStayAsTheyWere) {
  publish("{");
  publish("[");
  const std::string before = h.query("SELECT d.* FROM iothub.dead_letter d ORDER BY id");
  h.change_rules("");
  const Outcome outcome = replay();
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.out,
            "0 stored, 0 filtered, 0 with nothing to store, 0 failed again\n"
            "2 left as they were: there is no rule \"climate\"; see that --rules are the hub's\n");
  EXPECT_EQ(h.query("SELECT d.* FROM iothub.dead_letter d ORDER BY id"), before);
}

TEST_F(DeadLetters, AreReplayedByTwoAtATimeOnceEach) {
  publish_texts(900);
  h.change_rules(rules("float(payload.t)"));
  std::thread other([&] { EXPECT_EQ(replay().exit_code, 0); });
  EXPECT_EQ(replay().exit_code, 0);
  other.join();
  EXPECT_EQ(h.query("SELECT count(*), count(DISTINCT t) FROM climate"), "900|900");
  EXPECT_EQ(h.query("SELECT count(*) FROM iothub.dead_letter"), "0");
  EXPECT_EQ(ledger(), "900|900|0|900");
}

TEST_F(DeadLetters, AreStoredOnceByAReplayThatIsKilledAndRunAgain) {
  publish_texts(900);
  h.change_rules(rules("float(payload.t)"));
  // It stops at the 701st, in its second piece.
  h.query(
      "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF NEW.t = 700 THEN "
      "PERFORM pg_advisory_xact_lock(1); END IF; RETURN NEW; END$$; CREATE TRIGGER wait BEFORE "
      "INSERT ON climate FOR EACH ROW EXECUTE FUNCTION wait(); SELECT pg_advisory_lock(1)");
  RunningProgram killed({built_program("iothub"), "deadletter", "replay", "--rules", h.rules_file(),
                         "--database", h.database().url(), "--data-dir",
                         h.process().data_directory()});
  ASSERT_TRUE(eventually([&] {
    return h.query("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") ==
           "1";
  }));
  const std::string backend =
      h.query("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted");
  killed.end(SIGKILL);
  h.query("SELECT pg_advisory_unlock(1)");
  ASSERT_TRUE(eventually([&] {
    return h.query("SELECT count(*) FROM pg_stat_activity WHERE pid = " + backend) == "0";
  }));
  EXPECT_EQ(h.query("SELECT count(*) FROM climate"), "500");
  EXPECT_EQ(h.query("SELECT count(*) FROM iothub.dead_letter"), "400");
  EXPECT_EQ(ledger(), "900|500|400|500");
  EXPECT_EQ(replay().exit_code, 0);
  EXPECT_EQ(h.query("SELECT count(*), count(DISTINCT t) FROM climate"), "900|900");
  EXPECT_EQ(h.query("SELECT count(*) FROM iothub.dead_letter"), "0");
  EXPECT_EQ(ledger(), "900|900|0|900");
}

TEST_F(DeadLetters, AreReplayedAndDroppedByTimeAndReason) {
  publish(R"({"t": "1"})");
  publish("{");
  publish(R"({"t": "2"})", "d2");
  h.query(
      "UPDATE iothub.dead_letter SET received_at = received_at - interval '3 hours' WHERE "
      "client_id "
      "= 'd2'");
  h.change_rules(rules("float(payload.t)"));
  EXPECT_EQ(replay({"--reason", "evaluation_failed", "--since", "1 hour ago"}).out,
            "1 stored, 0 filtered, 0 with nothing to store, 0 failed again\n");
  EXPECT_EQ(h.query("SELECT device, t FROM climate"), "d1|1");
  EXPECT_EQ(h.output({"deadletter", "drop", "--rule", "other"}), "0 dropped\n");
  EXPECT_EQ(h.output({"deadletter", "drop", "--until", "2 hours ago"}), "1 dropped\n");
  EXPECT_EQ(h.query("SELECT reason FROM iothub.dead_letter"), "payload_not_json");
}

TEST_F(DeadLetters, AreDroppedOnlyWhenSaidWhich) {
  publish("{");
  publish("[", "d2");
  publish("}", "d3");
  EXPECT_EQ(h.run({"deadletter", "drop"}).exit_code, 2);
  EXPECT_EQ(h.output({"deadletter", "drop", "1"}), "1 dropped\n");
  EXPECT_EQ(h.output({"deadletter", "drop", "--client", "d3"}), "1 dropped\n");
  EXPECT_EQ(h.query("SELECT client_id FROM iothub.dead_letter"), "d2");
  EXPECT_EQ(h.output({"deadletter", "drop", "--all"}), "1 dropped\n");
}

TEST(DeadLettersOfAnAction, StayAsTheyWereWhenItIsNotThere) {
  HubOnDatabase h(kDeadLetterTables, rules("payload.t", "limited"));
  RawMqttClient device(h.process().port());
  device.connect("d1");
  h.publish(device, "t/1", R"({"t": 500})");
  h.change_rules(rules("payload.t", "climate"));
  EXPECT_THAT(
      h.run({"deadletter", "replay", "--rules", h.rules_file()}).out,
      HasSubstr("1 left as they were: the rule \"climate\" has no action \"dump limited\""));
  EXPECT_EQ(h.query("SELECT reason FROM iothub.dead_letter"), "row_refused");
}

// A rule with several actions: what was done is not done again.
TEST(DeadLettersOfSeveralActions, AreReplayedForWhatFailedOnly) {
  constexpr const char* kRules = R"(
[[rule]]
name = "both"
sql = 'SELECT clientid AS device, payload.t AS t, payload.note AS note FROM "t/#"'
[[rule.action]]
type = "dump"
table = "limited"
[[rule.action]]
type = "dump"
table = "climate"
[[rule.action]]
type = "republish"
topic = "notes/${note}"
[[rule.action]]
type = "dump"
table = "climate"
)";
  HubOnDatabase h(kDeadLetterTables, kRules);
  RawMqttClient device(h.process().port());
  device.connect("d1");
  h.publish(device, "t/1", R"({"t": 500, "note": "a"})");  // refused by the first table
  h.publish(device, "t/1", R"({"t": 5})");                 // no topic to publish to
  EXPECT_EQ(h.query("SELECT action FROM iothub.dead_letter ORDER BY id"),
            "dump limited\nafter dump climate");
  EXPECT_EQ(h.query("SELECT (SELECT count(*) FROM limited), (SELECT count(*) FROM climate)"),
            "1|3");
  h.query("ALTER TABLE limited DROP CONSTRAINT limited_t_check");
  std::string changed = kRules;
  changed.replace(changed.find("${note}"), 7, "all");
  h.change_rules(changed);
  EXPECT_EQ(h.output({"deadletter", "replay", "--rules", h.rules_file()}),
            "2 stored, 0 filtered, 0 with nothing to store, 0 failed again\n"
            "1 republish actions were left out: a replay only stores\n");
  EXPECT_EQ(h.query("SELECT (SELECT count(*) FROM limited), (SELECT count(*) FROM climate)"),
            "2|4");
}

}  // namespace
}  // namespace hub::test
