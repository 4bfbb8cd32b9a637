#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/hub_process.h"
#include "tests/support/postgres_fixture.h"
#include "tests/support/raw_mqtt_client.h"

namespace hub::test {

// A hub on a fresh database of the test server, with tables and rules of the test's.
class HubOnDatabase {
 public:
  // tables: SQL. rules: text of a rule file.
  HubOnDatabase(std::string_view tables, std::string rules, std::vector<std::string> more = {});

  [[nodiscard]] HubProcess& process() { return *hub_; }
  [[nodiscard]] TestDatabase& database() { return database_; }
  std::string query(std::string_view sql) { return database_.query(sql); }

  // A command beside the hub, on its database and data directory. What it takes of
  // `iothub deadletter replay` are the rules that are in rules() then.
  [[nodiscard]] Outcome run(std::vector<std::string> command) const;
  // What it wrote on standard output; fails the test when it did not end with that status.
  [[nodiscard]] std::string output(const std::vector<std::string>& command, int status = 0) const;

  [[nodiscard]] std::string rules_file() const;
  void change_rules(const std::string& rules) const;

  // Publishes at QoS 1 and waits for the acknowledgement.
  void publish(RawMqttClient& client, std::string_view topic, std::string_view payload);

 private:
  TestDatabase database_;
  std::unique_ptr<HubProcess> hub_;
  std::uint16_t packet_id_ = 0;
};

}  // namespace hub::test
