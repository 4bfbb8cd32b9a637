#pragma once

#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hub {

// How often a message may and must arrive (MQTT 5.0 section 4.3).
enum class Qos : std::uint8_t { at_most_once = 0, at_least_once = 1, exactly_once = 2 };

// Wall-clock time, as it is stored: microseconds since 1970-01-01 UTC.
using Timestamp = std::chrono::time_point<std::chrono::system_clock, std::chrono::microseconds>;

// Names one accepted message among all messages of all hubs that write to one database.
// 128 bits: the time of receipt, then the hub's start and a counter of the shard that took it.
struct MessageId {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  // 32 lower-case hexadecimal digits; sorts by time of receipt.
  [[nodiscard]] std::string to_string() const;

  friend bool operator==(const MessageId&, const MessageId&) = default;
};

// Bytes past the end of MessageView::payload that may be read (not interpreted): simdjson reads
// in blocks. Whoever makes a MessageView provides them.
inline constexpr std::size_t kPayloadPadding = 64;

// An application message as rules and storage see it. Borrows everything, for the length of a
// call: on the way of a message the views point into the shard's receive buffer.
struct MessageView {
  MessageId id;
  Timestamp received_at;
  std::string_view topic;      // a valid topic name: UTF-8, no wildcards, not empty
  std::string_view payload;    // any bytes; kPayloadPadding more are readable past its end
  std::string_view client_id;  // of the publisher; UTF-8
  std::string_view username;   // empty when CONNECT had none
  Qos qos = Qos::at_most_once;
  bool retain = false;
};

class Message;
using MessageRef = boost::intrusive_ptr<const Message>;

// An application message that outlives the call that brought it: for subscribers, for other
// shards, as a will, as a retained message. Immutable; shared by reference count across threads.
class Message : public boost::intrusive_ref_counter<Message, boost::thread_safe_counter> {
 public:
  // properties: the MQTT 5.0 properties that travel with the message (section 3.3.2.3), encoded
  // without their length, without topic alias, subscription identifiers and expiry interval.
  // expires_at: when the message expiry interval ends, if it had one.
  static MessageRef make(const MessageView& view, std::string_view properties = {},
                         std::optional<Timestamp> expires_at = {});

  // Borrows from this message; its payload is padded.
  [[nodiscard]] const MessageView& view() const noexcept { return view_; }
  [[nodiscard]] std::string_view properties() const noexcept { return properties_; }
  [[nodiscard]] std::optional<Timestamp> expires_at() const noexcept { return expires_at_; }
  [[nodiscard]] bool expired(Timestamp now) const noexcept {
    return expires_at_ && *expires_at_ <= now;
  }
  // What the message holds in memory, for the bounds of queues.
  [[nodiscard]] std::size_t bytes() const noexcept { return sizeof(Message) + text_.size(); }

  Message(const MessageView& view, std::string_view properties,
          std::optional<Timestamp> expires_at);

 private:
  std::string text_;  // topic, payload, client id, user name, properties, padding
  MessageView view_;
  std::string_view properties_;
  std::optional<Timestamp> expires_at_;
};

// Names one thing that the broker owes once what was taken before is durable. Only the broker looks
// inside; storage keeps it with a batch and hands it back when that batch has committed.
struct AckToken {
  enum class Owed : std::uint8_t {
    puback,
    pubrec,
    pubcomp,
    connack,       // and all output behind it
    session_gone,  // no packet: what was durable of a former session is so no more
  };

  std::uint64_t session = 0;  // its handle; 0: none
  std::uint32_t bytes = 0;    // what storage holds of the message until then
  std::uint16_t packet_id = 0;
  Owed owed = Owed::puback;
};

}  // namespace hub
