#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/hub_process.h"
#include "tests/support/raw_mqtt_client.h"

namespace hub::test {

// A hub with one rule, whose table `readings` numbers its rows as they come in; and two devices:
// one that publishes numbered messages, by turns at QoS 1 and 2, and one that only stays connected.
class HubWithReadings {
 public:
  // hub_url: where the hub finds the database; admin_url: where the test does. columns: what else
  // follows the columns of `readings`, as " TABLESPACE small".
  HubWithReadings(const std::string& hub_url, std::string admin_url,
                  std::string_view after_columns = "", unsigned shards = 2,
                  std::vector<std::string> environment = {});

  [[nodiscard]] HubProcess& hub() { return *hub_; }
  // Of `iothub metrics`; of all shards and states that have this name, the sum.
  [[nodiscard]] std::int64_t metric(std::string_view name) const;
  std::string query(std::string_view sql) const { return psql(admin_url_, sql); }
  void find_database_at(std::string admin_url) { admin_url_ = std::move(admin_url); }

  // Publishes so many messages more, each with so many bytes beside its number.
  void publish(int count, std::size_t bytes = 0);
  // Pings are answered on both connections, and nothing else comes.
  [[nodiscard]] bool connected_and_unanswered();
  // Takes the acknowledgement of each message that waits for one, in their order, and completes
  // those of QoS 2. The pings in between are answered.
  void expect_all_acknowledged();
  // Loses the connection, and sends again on a new one what is not acknowledged.
  void reconnect_and_resend();

  // The numbers of the rows, in the order in which they were written: "0,1,2".
  [[nodiscard]] std::string rows() const;
  // What rows() is when each published message is there once and all are in order.
  [[nodiscard]] std::string all_published() const;

  // How many lines of the log have this.
  [[nodiscard]] int logged(std::string_view text) const;
  // Waits until a line of the log has this.
  [[nodiscard]] bool says(std::string_view text) const;

 private:
  struct Waiting {
    int number;
    std::uint16_t packet_id;
    std::size_t bytes;
  };
  static bool exactly_once(int number) { return number % 2 == 1; }
  void send(const Waiting& message, bool again);

  std::string admin_url_;
  std::unique_ptr<HubProcess> hub_;
  std::unique_ptr<RawMqttClient> device_;
  std::unique_ptr<RawMqttClient> bystander_;
  std::vector<Waiting> waiting_;
  int published_ = 0;
  std::uint16_t last_packet_id_ = 0;
};

// Creates the database `hub` there, and returns its URL.
std::string make_database(const std::string& server_url, const std::string& database_url);

}  // namespace hub::test
