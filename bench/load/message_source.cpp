#include "bench/load/message_source.h"

#include <array>
#include <cstring>
#include <utility>

namespace hub::bench {
namespace {

constexpr std::array<char, 200> kTwoDigits = [] {
  std::array<char, 200> table{};
  for (std::size_t value = 0; value < 100; ++value) {
    table[2 * value] = static_cast<char>('0' + value / 10);
    table[2 * value + 1] = static_cast<char>('0' + value % 10);
  }
  return table;
}();

void write_two(char* at, std::uint64_t value) noexcept {
  std::memcpy(at, &kTwoDigits[2 * value], 2);
}

void write_decimal(char* at, std::uint64_t value, int digits) noexcept {
  for (; digits >= 2; digits -= 2) {
    write_two(at + digits - 2, value % 100);
    value /= 100;
  }
  if (digits == 1) *at = static_cast<char>('0' + value % 10);
}

// splitmix64: spreads consecutive seeds, and never gives the zero that xorshift cannot leave.
std::uint64_t mix(std::uint64_t seed) noexcept {
  seed += 0x9E3779B97F4A7C15;
  seed = (seed ^ seed >> 30) * 0xBF58476D1CE4E5B9;
  seed = (seed ^ seed >> 27) * 0x94D049BB133111EB;
  return (seed ^ seed >> 31) | 1;
}

}  // namespace

PayloadSums& PayloadSums::operator+=(const PayloadSums& other) noexcept {
  sequence += other.sequence;
  temperature_hundredths += other.temperature_hundredths;
  humidity_hundredths += other.humidity_hundredths;
  voltage_hundredths += other.voltage_hundredths;
  return *this;
}

void MessageSource::Walk::step(std::uint32_t random) noexcept {
  const std::uint32_t next = value + (random & 0x0F) - 7;  // every `low` is above 7
  value = next < low ? low : next > high ? high - 8 : next;
}

MessageSource::MessageSource(const TextTemplate& payload, std::string topic, std::uint32_t client,
                             const Options& options)
    : payload_(payload),
      topic_(std::move(topic)),
      client_(client),
      options_(options),
      random_(mix(options.seed + client)) {
  for (Walk* walk : {&temperature_, &humidity_, &voltage_}) {
    random_ = mix(random_);
    walk->value = walk->low + static_cast<std::uint32_t>(random_ % (walk->high - walk->low + 1));
  }
  lay_out();
}

void MessageSource::lay_out() {
  std::string body;
  append_string(body, topic_);
  const std::size_t id_in_body = body.size();
  if (options_.qos > 0) body.append(2, '\0');
  if (options_.version == MqttVersion::v5) body += '\0';
  patches_.clear();
  for (const Segment& segment : payload_.segments()) {
    if (segment.field == Field::literal) {
      body += segment.text;
      continue;
    }
    if (segment.field == Field::device) {
      body += std::to_string(client_);
      continue;
    }
    patches_.push_back({segment.field, body.size()});
    body.append(segment.field == Field::sequence ? sequence_digits_ : width_of(segment.field), '.');
  }
  packet_.clear();
  packet_ += static_cast<char>(0x30 | options_.qos << 1 | (options_.retain ? 1 : 0));
  append_remaining_length(packet_, body.size());
  const std::size_t header = packet_.size();
  packet_ += body;
  packet_id_at_ = header + id_in_body;
  for (Patch& patch : patches_) patch.at += header;
}

void MessageSource::patch(std::int64_t sent_ns, std::int64_t wall_ms) {
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  const auto write_hundredths = [](char* at, std::uint32_t value) {
    write_two(at, value / 100);
    write_two(at + 3, value % 100);
  };
  for (const Patch& patch : patches_) {
    char* at = packet_.data() + patch.at;
    switch (patch.field) {
      case Field::sequence:
        write_decimal(at, sequence_, static_cast<int>(sequence_digits_));
        sums_.sequence += sequence_;
        break;
      case Field::time_ms:
        write_decimal(at, static_cast<std::uint64_t>(wall_ms), kTimeDigits);
        break;
      case Field::temperature:
        temperature_.step(static_cast<std::uint32_t>(random_));
        write_hundredths(at, temperature_.value);
        sums_.temperature_hundredths += temperature_.value;
        break;
      case Field::humidity:
        humidity_.step(static_cast<std::uint32_t>(random_ >> 8));
        write_hundredths(at, humidity_.value);
        sums_.humidity_hundredths += humidity_.value;
        break;
      case Field::voltage:
        voltage_.step(static_cast<std::uint32_t>(random_ >> 16));
        *at = static_cast<char>('0' + voltage_.value / 100);
        write_two(at + 2, voltage_.value % 100);
        sums_.voltage_hundredths += voltage_.value;
        break;
      case Field::stamp:
        Stamp{client_, sequence_, sent_ns}.write(at);
        break;
      case Field::literal:
      case Field::device:
        break;
    }
  }
}

std::size_t MessageSource::write(char* at, std::uint16_t packet_id, std::int64_t sent_ns,
                                 std::int64_t wall_ms) {
  if (++sequence_ == next_width_at_) {
    next_width_at_ *= 10;
    ++sequence_digits_;
    lay_out();
  }
  patch(sent_ns, wall_ms);
  if (options_.qos > 0) {
    packet_[packet_id_at_] = static_cast<char>(packet_id >> 8);
    packet_[packet_id_at_ + 1] = static_cast<char>(packet_id & 0xFF);
  }
  std::memcpy(at, packet_.data(), packet_.size());
  return packet_.size();
}

}  // namespace hub::bench
