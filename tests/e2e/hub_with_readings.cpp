#include "tests/e2e/hub_with_readings.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <sstream>
#include <stdexcept>

#include "tests/support/mqtt_client_codec.h"

namespace hub::test {

using mqtt::PacketType;

namespace {

constexpr const char* kReadingRules = R"(
[[rule]]
name = "readings"
sql  = 'SELECT payload.n AS n, payload.text AS text FROM "devices/+/reading"'
[[rule.action]]
type  = "dump"
table = "readings"
)";

constexpr const char* kDevice = "device";
constexpr std::uint32_t kSessionExpiry = 3'600;

}  // namespace

HubWithReadings::HubWithReadings(const std::string& hub_url, std::string admin_url,
                                 std::string_view after_columns, unsigned shards,
                                 std::vector<std::string> environment)
    : admin_url_(std::move(admin_url)) {
  const Outcome init = run_program({built_program("iothub"), "db", "init", "--database", hub_url});
  if (init.exit_code != 0) throw std::runtime_error(init.err);
  (void)query(
      fmt::format("CREATE TABLE readings (place bigint GENERATED ALWAYS AS IDENTITY, n bigint, "
                  "text text){}",
                  after_columns));
  environment.emplace_back("IOTHUB_STORAGE_ANSWER_TIMEOUT=1s");
  hub_ = std::make_unique<HubProcess>(HubProcess::Options{.database = hub_url,
                                                          .rules = kReadingRules,
                                                          .shards = shards,
                                                          .more = {},
                                                          .environment = std::move(environment)});
  device_ = std::make_unique<RawMqttClient>(hub_->port());
  device_->connect(kDevice, true, kSessionExpiry);
  bystander_ = std::make_unique<RawMqttClient>(hub_->port(), mqtt::ProtocolVersion::v311);
  bystander_->connect("bystander");
}

std::int64_t HubWithReadings::metric(std::string_view name) const {
  const Outcome metrics =
      run_program({built_program("iothub"), "metrics", "--data-dir", hub_->data_directory()});
  if (metrics.exit_code != 0) throw std::runtime_error(metrics.err);
  std::istringstream lines{metrics.out};
  std::int64_t sum = 0;
  bool known = false;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(name)) continue;
    known = true;
    sum += std::stoll(line.substr(line.rfind(' ')));
  }
  if (!known) throw std::runtime_error(fmt::format("no metric {}", name));
  return sum;
}

void HubWithReadings::send(const Waiting& message, bool again) {
  device_->publish(
      fmt::format("devices/{}/reading", kDevice),
      fmt::format(R"({{"n": {}, "text": "{}"}})", message.number, std::string(message.bytes, 'x')),
      exactly_once(message.number) ? Qos::exactly_once : Qos::at_least_once, message.packet_id,
      again);
}

void HubWithReadings::publish(int count, std::size_t bytes) {
  for (int i = 0; i < count; ++i) {
    waiting_.push_back({published_++, ++last_packet_id_, bytes});
    send(waiting_.back(), false);
  }
}

bool HubWithReadings::connected_and_unanswered() { return device_->quiet() && bystander_->quiet(); }

void HubWithReadings::expect_all_acknowledged() {
  std::vector<std::uint16_t> to_complete;
  for (const Waiting& message : waiting_) {
    if (exactly_once(message.number)) {
      EXPECT_EQ(device_->expect_ack(PacketType::pubrec, message.packet_id), 0);
      to_complete.push_back(message.packet_id);
    } else {
      EXPECT_EQ(device_->expect_ack(PacketType::puback, message.packet_id), 0);
    }
  }
  waiting_.clear();
  for (const std::uint16_t id : to_complete) {
    device_->send(mqtt::client::encode_ack(device_->version(), PacketType::pubrel, id));
  }
  for (const std::uint16_t id : to_complete) {
    EXPECT_EQ(device_->expect_ack(PacketType::pubcomp, id), 0);
  }
  EXPECT_TRUE(bystander_->quiet());
}

void HubWithReadings::reconnect_and_resend() {
  device_->vanish();
  device_ = std::make_unique<RawMqttClient>(hub_->port());
  if (!device_->connect(kDevice, false, kSessionExpiry).session_present) {
    throw std::runtime_error("the hub has lost the device's session");
  }
  for (const Waiting& message : waiting_) send(message, true);
}

std::string HubWithReadings::rows() const {
  return query("SELECT string_agg(n::text, ',' ORDER BY place) FROM readings");
}

std::string HubWithReadings::all_published() const {
  std::string out;
  for (int n = 0; n < published_; ++n) out += fmt::format("{}{}", n > 0 ? "," : "", n);
  return out;
}

int HubWithReadings::logged(std::string_view text) const {
  const std::string log = hub_->log();
  int count = 0;
  for (std::size_t at = log.find(text); at != std::string::npos; at = log.find(text, at + 1)) {
    ++count;
  }
  return count;
}

bool HubWithReadings::says(std::string_view text) const {
  return eventually([&] { return logged(text) > 0; });
}

std::string make_database(const std::string& server_url, const std::string& database_url) {
  (void)psql(server_url, "CREATE DATABASE hub");
  return database_url;
}

}  // namespace hub::test
