#include "broker/parked_clients.h"

#include <algorithm>
#include <utility>

namespace hub::broker {
namespace {

// What a publisher that goes on is taken to send.
constexpr std::int64_t kLeastShare = 4 * 1024;

bool is_parked(const Client& client) {
  return client.connection.is_held(Connection::Hold::storage);
}

}  // namespace

void ParkedClients::park(Client& client) {
  client.connection.hold(Connection::Hold::storage);
  parked_.push_back(client.channel.handle);
}

void ParkedClients::count(const Client& client) {
  if (is_parked(client)) bytes_ += static_cast<std::int64_t>(client.connection.unread_bytes());
}

void ParkedClients::unpark(Client& client) {
  if (!is_parked(client)) return;
  client.connection.release(Connection::Hold::storage);
  bytes_ -= static_cast<std::int64_t>(client.connection.unread_bytes());
}

bool ParkedClients::may_have_to_wait(const Client& client, std::int64_t room) const {
  return client.channel.stage == Channel::Stage::open &&
         share_.may_have_to_wait(client.channel.session, room - bytes_);
}

std::size_t ParkedClients::cautious_bytes(std::int64_t room) {
  constexpr std::int64_t kLeast = 192;
  constexpr std::int64_t kMost = 16 * 1024;
  // Of many clients that stop at once, none has more than a small share of the room unread.
  constexpr std::int64_t kShares = 256;
  return static_cast<std::size_t>(std::clamp(room / kShares, kLeast, kMost));
}

void ParkedClients::take_resumable(const SlotMap<Client>& clients, std::int64_t room,
                                   std::vector<Channel::Handle>& out) {
  if (!std::exchange(room_grew_, false)) return;
  std::int64_t parked = bytes_;
  std::size_t left = 0;
  for (const Channel::Handle handle : parked_) {
    const Client* client = clients.find(handle);
    if (client == nullptr || !is_parked(*client)) continue;
    const auto unread = static_cast<std::int64_t>(client->connection.unread_bytes());
    if (share_.may_go_on(client->channel.session, room, parked - unread)) {
      room -= std::max(kLeastShare, unread);
      parked -= unread;
      room_grew_ = room_grew_ || room <= 0;  // the next turn goes on
      out.push_back(handle);
    } else {
      parked_[left++] = handle;
    }
  }
  parked_.resize(left);
}

}  // namespace hub::broker
