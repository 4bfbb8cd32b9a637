#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "broker/mqtt/packet_id.h"

namespace hub::broker {

using mqtt::PacketId;

// The packet ids of a session that are in use, each with a small trivial T. Allocates only while
// more are in use than ever before.
//
// Open addressing; at most half of the slots are taken. Ids that follow one another, as clients
// count them, are far apart in it. Ids that a client picks so that they come together cost a search
// along one another, of which the receive maximum allows no more than so many.
template <class T>
class PacketIdTable {
 public:
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  // nullptr when the id is not in use. Valid until the next insert() or erase().
  [[nodiscard]] T* find(PacketId id) noexcept {
    if (size_ == 0) return nullptr;
    Slot& slot = slots_[place_of(id.value())];
    return slot.id == kFree ? nullptr : &slot.value;
  }

  // REQUIRES that the id is not in use.
  void insert(PacketId id, T value) {
    if (size_ * 2 >= slots_.size()) grow();
    slots_[place_of(id.value())] = {id.value(), value};
    ++size_;
  }

  // REQUIRES that the id is in use.
  void erase(PacketId id) noexcept {
    std::size_t hole = place_of(id.value());
    // Of what stands behind it, that moves up whose search would now end at the hole.
    for (std::size_t at = next(hole); slots_[at].id != kFree; at = next(at)) {
      if (((at - first_place(slots_[at].id)) & mask()) < ((at - hole) & mask())) continue;
      slots_[hole] = slots_[at];
      hole = at;
    }
    slots_[hole].id = kFree;
    --size_;
  }

  // Calls f(PacketId, T&) for each, in no order.
  template <class F>
  void for_each(F f) {
    for (Slot& slot : slots_)
      if (slot.id != kFree) f(PacketId{slot.id}, slot.value);
  }
  template <class F>
  void for_each(F f) const {
    for (const Slot& slot : slots_)
      if (slot.id != kFree) f(PacketId{slot.id}, slot.value);
  }

 private:
  static constexpr std::uint16_t kFree = 0;  // no packet id
  static constexpr unsigned kFirstBits = 3;
  struct Slot {
    std::uint16_t id = kFree;
    T value{};
  };

  [[nodiscard]] std::size_t mask() const noexcept { return slots_.size() - 1; }
  [[nodiscard]] std::size_t next(std::size_t at) const noexcept { return (at + 1) & mask(); }

  // Multiplicative hashing: Knuth, The Art of Computer Programming, volume 3, section 6.4.
  [[nodiscard]] std::size_t first_place(std::uint16_t id) const noexcept {
    return (id * 0x9E37'79B1u) >> shift_;
  }

  // The slot that has the id, or the free one where it would be.
  [[nodiscard]] std::size_t place_of(std::uint16_t id) const noexcept {
    std::size_t at = first_place(id);
    while (slots_[at].id != id && slots_[at].id != kFree) at = next(at);
    return at;
  }

  void grow() {
    --shift_;
    std::vector<Slot> former(std::size_t{1} << (32 - shift_));
    former.swap(slots_);
    for (const Slot& slot : former)
      if (slot.id != kFree) slots_[place_of(slot.id)] = slot;
  }

  std::vector<Slot> slots_;  // none, or 2 to the power of 32 - shift_
  unsigned shift_ = 32 - kFirstBits + 1;
  std::size_t size_ = 0;
};

}  // namespace hub::broker
