#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/message.h"
#include "tests/support/raw_mqtt_client.h"

namespace hub::test {

// A device with a session that outlives its connections. It publishes numbered messages, keeps
// each until it is acknowledged, sends them again after a reconnect as the standard says, and
// remembers what became of each.
class DurableDevice {
 public:
  struct Publication {
    std::string topic;
    std::string payload;
    Qos qos;
  };
  // The message with that number; the same each time.
  using Make = std::function<Publication(std::uint64_t number)>;

  struct Options {
    std::string client_id;
    mqtt::ProtocolVersion version = mqtt::ProtocolVersion::v5;
    std::size_t window = 40;  // QoS 1 and 2 messages under way at a time
    bool subscribes = false;  // so that its session has something to keep
    // Takes the lowest packet id that is free, and so the one of the message that was acknowledged
    // last; otherwise they go round.
    bool reuses_ids = false;
  };
  DurableDevice(Options options, Make make);

  enum class Step : std::uint8_t {
    publish,       // the next message, if the window has room
    publish_sure,  // the same, and at least at QoS 1
    wait,          // only take what comes
    drain,         // the same; the connection ends when nothing is open
    disconnect,    // leave in good form
    vanish,        // leave without a word
    take_over,     // go on over a new connection while the old one stands
  };
  enum class End : std::uint8_t {
    drained,
    left,        // as told
    sent_away,   // the hub said that it stops
    lost,        // the connection broke: trouble() says how
    misbehaved,  // the hub did what it must not: trouble() says what
  };
  // Connects, and does what `next` says, asked again and again, until the connection is over.
  End run(std::uint16_t port, const std::function<Step()>& next);
  [[nodiscard]] const std::string& trouble() const { return trouble_; }

  struct Record {
    Qos qos;
    std::uint32_t sends;  // how often PUBLISH went out
    bool acknowledged;    // PUBACK or PUBREC came
  };
  // Of the messages from first_number() on. Messages are numbered from 1.
  [[nodiscard]] const std::vector<Record>& records() const { return records_; }
  [[nodiscard]] std::uint64_t first_number() const { return first_number_; }
  // Begins a new list of records. Only when nothing is open.
  void forget_records();

  [[nodiscard]] const std::string& client_id() const { return options_.client_id; }
  [[nodiscard]] bool idle() const { return open_.empty(); }

 private:
  struct Open {
    std::uint64_t number;
    bool received;  // PUBREC has come, PUBREL has gone
  };

  [[nodiscard]] RawMqttClient open_connection(std::uint16_t port);
  [[nodiscard]] std::uint16_t free_id();
  void publish(RawMqttClient& client, Qos least);
  void send(RawMqttClient& client, std::uint16_t id, Qos qos, std::uint64_t number, bool again);
  // What came; false when the hub says good-bye.
  bool take(RawMqttClient& client);
  bool take_ack(RawMqttClient& client, const RawMqttClient::Packet& packet);
  Record& record(std::uint64_t number) { return records_[number - first_number_]; }

  const Options options_;
  const Make make_;
  std::map<std::uint64_t, std::uint16_t> order_;  // open messages: number → packet id
  std::map<std::uint16_t, Open> open_;
  std::uint16_t last_id_ = 0;
  std::uint64_t first_number_ = 1;
  std::vector<Record> records_;
  std::string trouble_;
  // The first message after SUBACK. When it or a later one is acknowledged, the subscription has
  // committed, and the hub must know the session from then on.
  std::uint64_t first_after_suback_ = 0;
  bool session_is_durable_ = false;
};

}  // namespace hub::test
