#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/slot_map.h"
#include "broker/client.h"
#include "broker/session/storage_share.h"

namespace hub::broker {

// Publishers that wait for room in storage: their connections are not read, and what they have sent
// and was not handled is counted. Which of them have to wait, StorageShare says.
// A shard's; every call on its thread.
class ParkedClients {
 public:
  explicit ParkedClients(const StorageShare& share) : share_(share) {}

  // To be followed by count() once its unread input is known.
  void park(Client& client);
  void count(const Client& client);
  // Before its unread input changes. No effect on one that is not parked.
  void unpark(Client& client);

  // Whether a client may have to wait with what one large read brings. Then little is to be read of
  // it at once, so that what many of them have sent stays with their senders: cautious_bytes().
  [[nodiscard]] bool may_have_to_wait(const Client& client, std::int64_t room) const;
  // Enough to know the topic of most packets, and more while there is more room.
  [[nodiscard]] static std::size_t cautious_bytes(std::int64_t room);

  void room_grew() noexcept { room_grew_ = true; }
  // Appends those that may go on to `out`, in the order in which they stopped, and no more than
  // there is room for: the others would only stop again. Looks only if room has grown.
  void take_resumable(const SlotMap<Client>& clients, std::int64_t room,
                      std::vector<Channel::Handle>& out);

  // Some may go on that were left for the next turn. It has to come by itself: those that went on
  // may have given storage nothing, and then no commit brings it.
  [[nodiscard]] bool next_turn_is_due() const noexcept { return room_grew_; }

  // Unread input of all that are parked.
  [[nodiscard]] std::int64_t bytes() const noexcept { return bytes_; }

 private:
  const StorageShare share_;
  std::vector<Channel::Handle> parked_;  // in the order in which they stopped; some are gone
  std::int64_t bytes_ = 0;
  bool room_grew_ = false;  // since they were last looked at
};

}  // namespace hub::broker
