#include "bench/load/message_source.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace hub::bench {
namespace {

constexpr std::int64_t kSentNs = 123'456'789;
constexpr std::int64_t kWallMs = 1'700'000'000'123;

class Publisher {
 public:
  Publisher(const std::string& payload, MessageSource::Options options, std::uint32_t client = 7)
      : payload_(payload), options_(options), source_(payload_, "t/7", client, options) {}

  // The next message, read back as a subscriber reads it.
  Delivery next(std::uint16_t packet_id = 1) {
    bytes_.assign(source_.max_bytes(), '\0');
    bytes_.resize(source_.write(bytes_.data(), packet_id, kSentNs, kWallMs));
    PacketScanner packets{bytes_};
    Packet packet;
    EXPECT_TRUE(packets.next(packet));
    EXPECT_TRUE(packets.rest().empty());
    EXPECT_EQ(packet.type, PacketType::publish);
    const std::optional<Delivery> delivery = parse_delivery(packet, options_.version);
    EXPECT_TRUE(delivery.has_value());
    return delivery.value_or(Delivery{});
  }

  const MessageSource& source() const { return source_; }
  const std::string& bytes() const { return bytes_; }

 private:
  TextTemplate payload_;
  MessageSource::Options options_;
  MessageSource source_;
  std::string bytes_;
};

TEST(MessageSource, EncodesAPublish) {
  Publisher publisher{"hi", {.version = MqttVersion::v3_1_1, .qos = 1}};
  publisher.next(0x0102);
  EXPECT_EQ(publisher.bytes(), std::string("\x32\x09\x00\x03t/7\x01\x02hi", 11));
}

TEST(MessageSource, EncodesAPublishOfMqttFive) {
  Publisher publisher{"hi", {.version = MqttVersion::v5, .qos = 0, .retain = true}};
  publisher.next();
  EXPECT_EQ(publisher.bytes(), std::string("\x31\x08\x00\x03t/7\x00hi", 10));
}

TEST(MessageSource, FillsInEveryField) {
  Publisher publisher{"{i}|{n}|{ts}|{stamp}", {.version = MqttVersion::v5, .qos = 2}};
  publisher.next();
  EXPECT_EQ(publisher.next(9).payload,
            "7|2|1700000000123|"
            "00000007"
            "000000000002"
            "00000000075bcd15");
}

TEST(MessageSource, CountsOnThroughNewDigits) {
  Publisher publisher{"{n}", {.version = MqttVersion::v3_1_1, .qos = 1}};
  for (int message = 1; message <= 100'001; ++message) {
    ASSERT_EQ(publisher.next().payload, std::to_string(message));
  }
  EXPECT_EQ(publisher.source().sums().sequence, 100'001ULL * 100'002 / 2);
}

TEST(MessageSource, NeedsALongerHeaderInTime) {
  Publisher publisher{"{n}" + std::string(121, 'x'), {.version = MqttVersion::v3_1_1, .qos = 0}};
  for (int message = 1; message <= 10; ++message) {
    EXPECT_EQ(publisher.next().payload, std::to_string(message) + std::string(121, 'x'));
  }
}

// The numbers wander within their range, and what was sent is what was summed up.
TEST(MessageSource, WandersWithinTheRangeOfEachSensor) {
  struct Sensor {
    const char* field;
    int low;
    int high;
    std::uint64_t PayloadSums::* sum;
  };
  for (const Sensor& sensor : {Sensor{"{temp}", 1000, 3999, &PayloadSums::temperature_hundredths},
                               Sensor{"{hum}", 2000, 8999, &PayloadSums::humidity_hundredths},
                               Sensor{"{volt}", 300, 419, &PayloadSums::voltage_hundredths}}) {
    Publisher publisher{sensor.field, {}};
    std::uint64_t sum = 0;
    bool moved = false;
    int last = 0;
    for (int message = 0; message < 20'000; ++message) {
      std::string digits{publisher.next().payload};
      ASSERT_EQ(digits[digits.size() - 3], '.') << digits;
      digits.erase(digits.size() - 3, 1);
      const int value = std::stoi(digits);
      ASSERT_GE(value, sensor.low);
      ASSERT_LE(value, sensor.high);
      if (last != 0) {
        ASSERT_LE(std::abs(value - last), 8);
        moved = moved || value != last;
      }
      last = value;
      sum += static_cast<std::uint64_t>(value);
    }
    EXPECT_TRUE(moved);
    EXPECT_EQ(publisher.source().sums().*sensor.sum, sum) << sensor.field;
  }
}

TEST(MessageSource, IsTheSameForTheSameSeedAndAnotherForAnother) {
  const auto messages = [](std::uint64_t seed, std::uint32_t client) {
    Publisher publisher{"{temp}{hum}{volt}", {.seed = seed}, client};
    std::string all;
    for (int message = 0; message < 50; ++message) all += publisher.next().payload;
    return all;
  };
  EXPECT_EQ(messages(1, 0), messages(1, 0));
  EXPECT_NE(messages(1, 0), messages(2, 0));
  EXPECT_NE(messages(1, 0), messages(1, 1));
}

}  // namespace
}  // namespace hub::bench
