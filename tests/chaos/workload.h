#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/durable_device.h"

namespace hub::test {

// What the devices of the campaign send, the rules that take it, and what is to come of each
// message. All of it follows from the device's index and the message's number.

// A set of rules that a device's messages match, by its topic.
enum class Lane : std::uint8_t {
  plain,  // COPY only
  keyed,  // one set-based INSERT only
  mixed,  // both, and rows that are refused
};

inline constexpr std::string_view kTablesSql = R"(
CREATE TABLE plain   (device text NOT NULL, n bigint NOT NULL, t float8, received_at timestamptz);
CREATE TABLE raw     (device text NOT NULL, received_at timestamptz NOT NULL, payload jsonb);
CREATE TABLE keyed   (device text NOT NULL, n bigint NOT NULL, t float8, PRIMARY KEY (device, n));
CREATE TABLE narrow  (device text NOT NULL, n bigint NOT NULL, t float8, small smallint);
CREATE TABLE checked (device text NOT NULL, n bigint NOT NULL, t float8,
                      level integer CHECK (level < 100));
CREATE TABLE latest  (device text PRIMARY KEY, n bigint NOT NULL);
)";

[[nodiscard]] std::string rule_file();

struct DeviceProfile {
  std::string client_id;
  Lane lane = Lane::plain;
  bool qos[3] = {};               // which it publishes with
  std::size_t padding_bytes = 0;  // of each payload
};
[[nodiscard]] DeviceProfile device_profile(std::size_t index);

[[nodiscard]] DurableDevice::Publication message(const DeviceProfile& device, std::uint64_t number);

// A rule with a table of its own, whose rows can be told by device and number.
struct TableRule {
  std::string_view name;      // of the rule and the table
  std::string_view rows_sql;  // device, number, rows, rows with a wrong value
  bool keyed = false;
};
[[nodiscard]] const std::vector<TableRule>& table_rules();

// Whether the rule names a sequence: the number then arrives with a row, or with a dead letter of
// the database's.
[[nodiscard]] bool watches_sequence(const TableRule& rule) noexcept;
[[nodiscard]] bool has_number(std::uint64_t number) noexcept;

enum class Fate : std::uint8_t { row, dead_letter, nothing };
[[nodiscard]] Fate fate(const TableRule& rule, const DeviceProfile& device, std::uint64_t number);

// Whether the message sets the device's row in table `latest`.
[[nodiscard]] bool sets_latest(const DeviceProfile& device, std::uint64_t number);

}  // namespace hub::test
