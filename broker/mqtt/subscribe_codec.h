#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <string>
#include <string_view>

#include "base/subscription_options.h"
#include "broker/mqtt/decode_error.h"
#include "broker/mqtt/packet_id.h"
#include "broker/mqtt/protocol.h"

namespace hub::mqtt {

// One line of a SUBSCRIBE or UNSUBSCRIBE.
struct FilterView {
  std::string_view filter;      // a valid topic filter
  SubscriptionOptions options;  // UNSUBSCRIBE: the defaults
};

// The lines of a SUBSCRIBE or UNSUBSCRIBE, in their order: an input range of FilterView over bytes
// that the decoder has checked. Borrows the body.
class FilterList {
 public:
  class Iterator {
   public:
    using value_type = FilterView;
    using difference_type = std::ptrdiff_t;

    Iterator() = default;
    FilterView operator*() const;
    Iterator& operator++();
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& it, std::default_sentinel_t) { return it.left_.empty(); }

   private:
    friend class FilterList;
    Iterator(std::string_view left, bool has_options) : left_(left), has_options_(has_options) {}
    std::string_view left_;
    bool has_options_ = false;
  };

  FilterList() = default;
  // bytes: checked by a decoder.
  FilterList(std::string_view bytes, std::size_t count, bool has_options)
      : bytes_(bytes), count_(count), has_options_(has_options) {}

  [[nodiscard]] Iterator begin() const { return {bytes_, has_options_}; }
  [[nodiscard]] std::default_sentinel_t end() const { return {}; }
  [[nodiscard]] std::size_t size() const { return count_; }

 private:
  std::string_view bytes_;
  std::size_t count_ = 0;
  bool has_options_ = false;
};

struct SubscribeView {
  PacketId packet_id;
  std::uint32_t subscription_id = 0;  // 0: none
  FilterList filters;                 // at least one
};

struct UnsubscribeView {
  PacketId packet_id;
  FilterList filters;  // at least one
};

// Decodes the body of a SUBSCRIBE (section 3.8 of both standards), all of its lines: either every
// filter and option is right or the packet fails.
//
// Fails with   malformed_packet   a field runs past the end; bad UTF-8; a filter that breaks
//                                 section 4.7.1 or 4.8.2; reserved option bits [MQTT-3.8.3-5]
//              protocol_error     no filter [MQTT-3.8.3-2]; QoS 3; Retain Handling 3; No Local on a
//                                 shared subscription [MQTT-3.8.3-4]; packet id 0;
//                                 Subscription Identifier 0 or twice
// Leaves to broker/session: authorization, whether shared subscriptions are on offer.
[[nodiscard]] DecodeResult<SubscribeView> decode_subscribe(ProtocolVersion version,
                                                           std::string_view body) noexcept;

// Decodes the body of an UNSUBSCRIBE (section 3.10), likewise.
[[nodiscard]] DecodeResult<UnsubscribeView> decode_unsubscribe(ProtocolVersion version,
                                                               std::string_view body) noexcept;

// Appends a SUBACK. codes: one per line of the SUBSCRIBE, in its order [MQTT-3.9.3-1]; 3.1.1 gets
// 0x80 for each failure.
void append_suback(std::string& out, ProtocolVersion version, PacketId id,
                   std::span<const ReasonCode> codes, std::string_view reason_string = {});

// Appends an UNSUBACK. codes: one per line of the UNSUBSCRIBE [MQTT-3.11.3-1]; 3.1.1 has none.
void append_unsuback(std::string& out, ProtocolVersion version, PacketId id,
                     std::span<const ReasonCode> codes, std::string_view reason_string = {});

}  // namespace hub::mqtt
