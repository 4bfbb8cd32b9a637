// Back pressure: whose publishes wait while storage has little room, and when they go on.
#include <algorithm>
#include <utility>

#include "broker/shard.h"

namespace hub::broker {
namespace {

// A session may have as many times the room that is left waiting. So one greedy publisher stops at
// 4/5 of the bound, n of them at 4/(1 + 4·n) each, and a session that has little waiting goes on
// until there is no room at all.
constexpr std::int64_t kShareOfRoom = 4;

// Who may have as much waiting need not wait for what one read brings, whatever rules make of it.
constexpr std::int64_t kAmpleBytes = 1 << 20;

// What a publisher that goes on is taken to send.
constexpr std::int64_t kLeastShare = 4 * 1024;

}  // namespace

bool Shard::over_quota(const Session& session) const {
  return session.held_bytes >= options_.max_held_bytes;
}

bool Shard::has_to_wait(const Connection& connection, const Session& session) const {
  // MQTT 3.1.1 has no answer that refuses a publish.
  if (over_quota(session)) return connection.version == mqtt::ProtocolVersion::v311;
  const std::int64_t room = sink_->room_bytes();
  return room <= 0 || static_cast<std::int64_t>(session.held_bytes) > kShareOfRoom * room;
}

bool Shard::may_have_to_wait(const Connection& connection) const {
  if (connection.stage != Connection::Stage::open) return false;
  const Session* session = sessions_.find(connection.session);
  const std::uint64_t held = session != nullptr ? session->held_bytes : 0;
  const std::int64_t room = sink_->room_bytes() - static_cast<std::int64_t>(parked_bytes_);
  const std::int64_t share = kShareOfRoom * room - static_cast<std::int64_t>(held);
  return std::min(room, share) < kAmpleBytes || held + kAmpleBytes > options_.max_held_bytes;
}

void Shard::park(Connection::Handle handle, Connection& connection) {
  ++counters_.publishers_stopped;
  connection.parked = true;
  parked_.push_back(handle);
  watch(handle, connection);
}

void Shard::count_parked(Connection& connection) {
  if (!connection.parked) return;
  connection.parked_bytes =
      connection.partial ? static_cast<std::uint32_t>(connection.partial->size()) : 0;
  parked_bytes_ += connection.parked_bytes;
}

void Shard::unpark(Connection& connection) {
  connection.parked = false;
  parked_bytes_ -= std::exchange(connection.parked_bytes, 0);
}

// In the order in which they stopped, and no more than there is room for: those would only stop
// again. Each goes on at half of what makes it stop, so that it gets further than one message.
void Shard::resume_parked() {
  std::int64_t room = sink_->room_bytes();
  std::size_t left = 0;
  for (const Connection::Handle handle : parked_) {
    const Connection* connection = connections_.find(handle);
    if (connection == nullptr || !connection->parked) continue;
    const Session* session = sessions_.find(connection->session);
    const std::uint64_t held = session != nullptr ? session->held_bytes : 0;
    const bool under_quota = 2 * held <= options_.max_held_bytes;
    if (under_quota && room > 0 && 2 * static_cast<std::int64_t>(held) <= kShareOfRoom * room) {
      room -= std::max<std::int64_t>(kLeastShare, connection->parked_bytes);
      room_grew_ = room_grew_ || room <= 0;  // the next turn goes on
      resumed_.push_back(handle);
    } else {
      parked_[left++] = handle;
    }
  }
  parked_.resize(left);
}

}  // namespace hub::broker
