#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bench/load/packets.h"
#include "bench/load/text_template.h"

namespace hub::bench {

// What the sums of a payload's numbers come to over all the messages of a client, so that rows in
// a table can be compared with what was sent.
struct PayloadSums {
  std::uint64_t sequence = 0;
  std::uint64_t temperature_hundredths = 0;
  std::uint64_t humidity_hundredths = 0;
  std::uint64_t voltage_hundredths = 0;

  PayloadSums& operator+=(const PayloadSums& other) noexcept;
};

// Makes the PUBLISH packets of one client. The packet stands ready; each message patches the packet
// id and the numbers in it and copies it out: about 20 ns for 110 bytes. It is laid out anew only
// when {n} gets one digit longer.
class MessageSource {
 public:
  struct Options {
    MqttVersion version = MqttVersion::v3_1_1;
    std::uint8_t qos = 0;
    bool retain = false;
    std::uint64_t seed = 1;
  };

  // `payload` must outlive this.
  MessageSource(const TextTemplate& payload, std::string topic, std::uint32_t client,
                const Options& options);

  // The most bytes that the next write() can take.
  [[nodiscard]] std::size_t max_bytes() const noexcept { return packet_.size() + kGrowth; }

  // Writes the next message's packet and returns its length. packet_id is not used at QoS 0.
  std::size_t write(char* at, std::uint16_t packet_id, std::int64_t sent_ns, std::int64_t wall_ms);

  [[nodiscard]] std::uint64_t written() const noexcept { return sequence_; }
  [[nodiscard]] const PayloadSums& sums() const noexcept { return sums_; }

 private:
  static constexpr std::size_t kGrowth = 4;  // one digit more, and a longer remaining length

  struct Patch {
    Field field;
    std::size_t at;
  };
  // Hundredths that wander within [low, high], a little each message.
  struct Walk {
    std::uint32_t low;
    std::uint32_t high;
    std::uint32_t value;

    void step(std::uint32_t random) noexcept;
  };

  void lay_out();
  void patch(std::int64_t sent_ns, std::int64_t wall_ms);

  const TextTemplate& payload_;
  std::string topic_;
  std::uint32_t client_;
  Options options_;

  std::string packet_;
  std::size_t packet_id_at_ = 0;
  std::vector<Patch> patches_;
  std::uint64_t sequence_ = 0;
  std::uint64_t next_width_at_ = 10;  // the sequence number that needs one digit more
  std::size_t sequence_digits_ = 1;

  std::uint64_t random_;
  Walk temperature_{1000, 3999, 0};
  Walk humidity_{2000, 8999, 0};
  Walk voltage_{300, 419, 0};
  PayloadSums sums_;
};

}  // namespace hub::bench
