#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/shard.h"
#include "broker/routing/router.h"
#include "broker/session/effects.h"
#include "broker/transport/connection.h"

namespace hub::broker {

class Shard;

// What one shard has to say to the others, by posting to their loops. Messages are gathered and go
// at the end of the turn, a burst to each shard; everything else goes at once.
class ShardPeers final : public PeerRouter {
 public:
  ShardPeers(Shard& shard, std::uint32_t self, std::uint32_t count)
      : shard_(shard), self_(self), bursts_(count), bursts_under_way_(count) {}

  // The shard that keeps the retained messages.
  static constexpr std::uint32_t kKeeper = 0;

  // Before anything is said: peers[i] is shard i, this one among them.
  void connect(std::vector<OnShard<Shard>> peers) { peers_ = std::move(peers); }

  // A message on its way to another shard.
  struct Remote {
    MessageRef message;
    bool retain = false;  // to be kept as its topic's retained message; else to be delivered
  };
  using Burst = std::vector<Remote>;

  // PeerRouter
  void deliver(std::uint32_t shard, const MessageRef& message) override;
  void keep_retained(const MessageRef& message) override;
  void tell_interest(std::string_view filter, bool wanted) override;

  // Sends what was gathered.
  void flush();
  // So much is gathered that the turn had better end.
  [[nodiscard]] bool burst_is_large() const noexcept;
  // A burst has been taken by that shard.
  void on_burst_taken(std::uint32_t shard) { --bursts_under_way_[shard]; }
  // False while one has so many untaken that this shard is to read nothing more.
  [[nodiscard]] bool keep_up() const noexcept;

  // Shard::on_interest_known(request) once all shards have what tell_interest() said before: at
  // once when there are no others.
  void await_interest(std::uint64_t request);
  // One more of them has it. True when it was the last.
  [[nodiscard]] bool confirm_interest(std::uint64_t request);

  // Shard::deliver_retained() for each wish, in their order: at once on the shard that keeps them.
  void ask_retained(std::uint64_t session, std::vector<RoutingEffects::RetainedWish> wishes);

  void hand_over(std::uint32_t shard, Connection connection);

 private:
  void gather(std::uint32_t shard, Remote remote);
  [[nodiscard]] std::uint32_t count() const noexcept {
    return static_cast<std::uint32_t>(bursts_.size());
  }

  Shard& shard_;
  const std::uint32_t self_;
  std::vector<OnShard<Shard>> peers_;
  std::vector<Burst> bursts_;  // by shard
  std::size_t burst_bytes_ = 0;
  std::vector<std::uint32_t> bursts_under_way_;                          // by shard
  boost::unordered_flat_map<std::uint64_t, std::uint32_t> unconfirmed_;  // by request: how many
};

}  // namespace hub::broker
