#pragma once

#include <algorithm>
#include <cstdint>

#include "broker/mqtt/protocol.h"
#include "broker/session/session.h"

namespace hub::broker {

// How much of what storage can still hold one session may have waiting, so that the greediest
// publishers are the first to stop. Rooms and bytes as ShardEffects::room_bytes() has them.
class StorageShare {
 public:
  explicit StorageShare(std::size_t max_held_bytes) : max_held_bytes_(max_held_bytes) {}

  [[nodiscard]] bool over_quota(const Session& session) const {
    return session.held_bytes >= max_held_bytes_;
  }

  // Whether the next publish has to wait for storage. parked: what others that wait have sent
  // already.
  [[nodiscard]] bool has_to_wait(const Session& session, mqtt::ProtocolVersion version,
                                 std::int64_t room, std::int64_t parked) const {
    // MQTT 3.1.1 has no answer that refuses a publish.
    if (over_quota(session)) return version == mqtt::ProtocolVersion::v311;
    // Who has nothing waiting goes on while there is any room: for it alone no commit would come
    // that makes room, however much is parked.
    if (session.held_bytes == 0) return room <= 0;
    const std::int64_t free = room - parked;
    return free <= 0 || static_cast<std::int64_t>(session.held_bytes) > kShareOfRoom * free;
  }

  // Whether it may come to that with what one read brings. session: null before CONNECT.
  [[nodiscard]] bool may_have_to_wait(const Session* session, std::int64_t room) const {
    const std::uint64_t held = session != nullptr ? session->held_bytes : 0;
    const std::int64_t share = kShareOfRoom * room - static_cast<std::int64_t>(held);
    return std::min(room, share) < kAmpleBytes || held + kAmpleBytes > max_held_bytes_;
  }

  // Whether one that waits may go on: at half of what makes it stop, so that it gets further than
  // one message. parked: of the others.
  [[nodiscard]] bool may_go_on(const Session* session, std::int64_t room,
                               std::int64_t parked) const {
    const std::uint64_t held = session != nullptr ? session->held_bytes : 0;
    if (held == 0) return room > 0;
    return 2 * held <= max_held_bytes_ &&
           2 * static_cast<std::int64_t>(held) <= kShareOfRoom * (room - parked);
  }

 private:
  // A session may have as many times the room that is left waiting. So one greedy publisher stops
  // at 4/5 of the bound, n of them at 4/(1 + 4·n) each, and a session that has little waiting goes
  // on until there is no room at all.
  static constexpr std::int64_t kShareOfRoom = 4;
  // Who may have as much waiting need not wait for what one read brings, whatever rules make of it.
  static constexpr std::int64_t kAmpleBytes = 1 << 20;

  std::uint64_t max_held_bytes_;
};

}  // namespace hub::broker
