#pragma once

#include <bit>
#include <cstdint>
#include <vector>

namespace hub::bench {

// The messages of one publisher that are on their way: packet ids given out in turn, at most
// `limit` at once, and what each acknowledgement means. QoS 1 ends with PUBACK, QoS 2 with PUBCOMP
// after PUBREC and our PUBREL. Acknowledgements must come in the order of the messages
// [MQTT-4.6.0-2], [MQTT-4.6.0-3]; one that does not is named, and counts all the same.
class InFlight {
 public:
  enum class Outcome : std::uint8_t {
    in_order,
    out_of_order,
    unexpected,  // nothing with this packet id waits for this packet
  };
  struct Result {
    Outcome outcome;
    std::int64_t sent_ns;  // of the message; meaningless when unexpected
  };

  explicit InFlight(std::uint16_t limit)
      : limit_(limit), mask_(std::bit_ceil(std::uint32_t{limit} + 1U) - 1), slots_(mask_ + 1) {}

  void set_limit(std::uint16_t limit) noexcept {
    if (limit < limit_) limit_ = limit;
  }
  [[nodiscard]] std::uint16_t limit() const noexcept { return limit_; }
  [[nodiscard]] std::uint32_t count() const noexcept { return count_; }

  // False also while an older message, passed by later ones, holds the next packet id's place.
  [[nodiscard]] bool may_send() const noexcept {
    return count_ < limit_ && slots_[next_ & mask_].packet_id == 0;
  }

  // The packet id of a new message. Only if may_send().
  std::uint16_t send(std::int64_t sent_ns) noexcept {
    const std::uint16_t packet_id = next_;
    slots_[packet_id & mask_] = {sent_ns, packet_id, false};
    next_ = after(next_);
    ++count_;
    return packet_id;
  }

  // Also for a PUBREC that refuses: the exchange ends there (MQTT 5.0 section 4.3.3).
  Result on_puback(std::uint16_t packet_id) noexcept {
    Slot* slot = find(packet_id);
    if (slot == nullptr || slot->received) return {Outcome::unexpected, 0};
    const Result result{in_turn(packet_id), slot->sent_ns};
    release(*slot);
    return result;
  }

  // The message is taken: it is to be answered with PUBREL, and ends with on_pubcomp().
  Result on_pubrec(std::uint16_t packet_id) noexcept {
    Slot* slot = find(packet_id);
    if (slot == nullptr || slot->received) return {Outcome::unexpected, 0};
    slot->received = true;
    return {in_turn(packet_id), slot->sent_ns};
  }

  Result on_pubcomp(std::uint16_t packet_id) noexcept {
    Slot* slot = find(packet_id);
    if (slot == nullptr || !slot->received) return {Outcome::unexpected, 0};
    const Result result{Outcome::in_order, slot->sent_ns};
    release(*slot);
    return result;
  }

  // The connection is gone; returns how many messages were on their way.
  std::uint32_t clear() noexcept {
    const std::uint32_t lost = count_;
    slots_.assign(slots_.size(), Slot{});
    count_ = 0;
    next_ = 1;
    oldest_ = 1;
    return lost;
  }

 private:
  struct Slot {
    std::int64_t sent_ns = 0;
    std::uint16_t packet_id = 0;  // 0: free
    bool received = false;        // PUBREC has come
  };

  static std::uint16_t after(std::uint16_t packet_id) noexcept {
    return packet_id == 65'535 ? std::uint16_t{1} : static_cast<std::uint16_t>(packet_id + 1);
  }
  Slot* find(std::uint16_t packet_id) noexcept {
    Slot& slot = slots_[packet_id & mask_];
    return packet_id != 0 && slot.packet_id == packet_id ? &slot : nullptr;
  }
  Outcome in_turn(std::uint16_t packet_id) noexcept {
    const Outcome outcome = packet_id == oldest_ ? Outcome::in_order : Outcome::out_of_order;
    oldest_ = after(packet_id);
    return outcome;
  }
  void release(Slot& slot) noexcept {
    slot.packet_id = 0;
    slot.received = false;
    --count_;
  }

  std::uint16_t limit_;
  std::uint32_t mask_;
  std::vector<Slot> slots_;
  std::uint32_t count_ = 0;
  std::uint16_t next_ = 1;
  std::uint16_t oldest_ = 1;  // the packet id whose first acknowledgement is next in order
};

}  // namespace hub::bench
