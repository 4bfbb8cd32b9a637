#include "broker/shard_peers.h"

#include <algorithm>
#include <string>
#include <utility>

#include "broker/shard.h"

namespace hub::broker {
namespace {

// Bursts that another shard may have untaken before this one stops reading its sockets.
constexpr std::uint32_t kMaxBurstsUnderWay = 16;
// What one turn may gather for other shards; the sockets that are left then are ready again later.
constexpr std::size_t kMaxBurstBytes = std::size_t{4} << 20;

}  // namespace

void ShardPeers::gather(std::uint32_t shard, Remote remote) {
  burst_bytes_ += remote.message->bytes();
  bursts_[shard].push_back(std::move(remote));
}

void ShardPeers::deliver(std::uint32_t shard, const MessageRef& message) {
  gather(shard, {.message = message});
}

void ShardPeers::keep_retained(const MessageRef& message) {
  gather(kKeeper, {.message = message, .retain = true});
}

void ShardPeers::tell_interest(std::string_view filter, bool wanted) {
  for (std::uint32_t shard = 0; shard < count(); ++shard) {
    if (shard == self_) continue;
    peers_[shard].post([filter = std::string{filter}, wanted, self = self_](Shard& peer) {
      peer.set_remote_interest(filter, self, wanted);
    });
  }
}

bool ShardPeers::burst_is_large() const noexcept { return burst_bytes_ > kMaxBurstBytes; }

bool ShardPeers::keep_up() const noexcept {
  return std::all_of(bursts_under_way_.begin(), bursts_under_way_.end(),
                     [](std::uint32_t under_way) { return under_way < kMaxBurstsUnderWay; });
}

void ShardPeers::flush() {
  if (burst_bytes_ == 0) return;
  for (std::uint32_t shard = 0; shard < count(); ++shard) {
    if (bursts_[shard].empty()) continue;
    ++bursts_under_way_[shard];
    peers_[shard].post(
        [burst = std::exchange(bursts_[shard], {}), from = peers_[self_], shard](Shard& peer) {
          peer.receive(burst);
          from.post([shard](Shard& self) { self.on_burst_taken(shard); });
        });
  }
  burst_bytes_ = 0;
}

// What is posted to a shard from one thread runs there in the order of posting. So a confirmation
// that is asked for after the interest was told comes after that interest is known.
void ShardPeers::await_interest(std::uint64_t request) {
  if (count() == 1) {
    shard_.on_interest_known(request);
    return;
  }
  unconfirmed_.emplace(request, count() - 1);
  for (std::uint32_t shard = 0; shard < count(); ++shard) {
    if (shard == self_) continue;
    peers_[shard].post([request, from = peers_[self_]](Shard&) {
      from.post([request](Shard& self) { self.on_interest_confirmed(request); });
    });
  }
}

bool ShardPeers::confirm_interest(std::uint64_t request) {
  const auto found = unconfirmed_.find(request);
  if (found == unconfirmed_.end() || --found->second > 0) return false;
  unconfirmed_.erase(found);
  return true;
}

void ShardPeers::ask_retained(std::uint64_t session,
                              std::vector<RoutingEffects::RetainedWish> wishes) {
  if (self_ == kKeeper) {
    for (const auto& wish : wishes) {
      shard_.deliver_retained(session, wish, shard_.matching_retained(wish.filter));
    }
    return;
  }
  peers_[kKeeper].post([session, wishes = std::move(wishes), from = peers_[self_]](Shard& keeper) {
    for (const auto& wish : wishes) {
      from.post([session, wish, messages = keeper.matching_retained(wish.filter)](Shard& asker) {
        asker.on_retained(session, wish, messages);
      });
    }
  });
}

void ShardPeers::hand_over(std::uint32_t shard, Connection connection) {
  peers_[shard].post([connection = std::move(connection)](Shard& peer) mutable {
    peer.adopt(std::move(connection));
  });
}

}  // namespace hub::broker
