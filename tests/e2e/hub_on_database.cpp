#include "tests/e2e/hub_on_database.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace hub::test {

HubOnDatabase::HubOnDatabase(std::string_view tables, std::string rules,
                             std::vector<std::string> more) {
  const Outcome init =
      run_program({built_program("iothub"), "db", "init", "--database", database_.url()});
  if (init.exit_code != 0) throw std::runtime_error(init.err);
  database_.query(tables);
  hub_ = std::make_unique<HubProcess>(HubProcess::Options{
      .database = database_.url(), .rules = std::move(rules), .more = std::move(more)});
}

Outcome HubOnDatabase::run(std::vector<std::string> command) const {
  command.insert(command.begin(), built_program("iothub"));
  command.insert(command.end(),
                 {"--database", database_.url(), "--data-dir", hub_->data_directory()});
  return run_program(command);
}

std::string HubOnDatabase::output(const std::vector<std::string>& command, int status) const {
  const Outcome outcome = run(command);
  EXPECT_EQ(outcome.exit_code, status) << outcome.out << outcome.err;
  return outcome.out;
}

std::string HubOnDatabase::rules_file() const {
  return (hub_->directory().path() / "rules.toml").string();
}

void HubOnDatabase::change_rules(const std::string& rules) const {
  hub_->directory().write("rules.toml", rules);
}

void HubOnDatabase::publish(RawMqttClient& client, std::string_view topic,
                            std::string_view payload) {
  if (++packet_id_ == 0) ++packet_id_;
  client.publish(topic, payload, Qos::at_least_once, packet_id_);
  client.expect_ack(mqtt::PacketType::puback, packet_id_);
}

}  // namespace hub::test
