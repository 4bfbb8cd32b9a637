#include "bench/load/crowd.h"

#include <fmt/format.h>

#include <limits>
#include <utility>

namespace hub::bench {

Crowd::Crowd(const Options& options, Share share)
    : Worker(options.target, share.size_of(options.subscribers)),
      options_(options),
      share_(share),
      filter_(options.filter),
      to_come_(std::numeric_limits<std::uint64_t>::max()) {
  if (options.messages > 0) to_come_ = options.messages / share.stride;
  engine().set_on_left([this](Client& client) { left(client); });
}

ClientPlan Crowd::plan(std::uint32_t client) const {
  const std::uint32_t index = share_.global(client);
  return {.client_id = fmt::format("{}-c{}", options_.target.client_prefix, index),
          .filter = storms() ? std::string{} : filter_.for_client(index),
          .qos = options_.qos};
}

void Crowd::start(std::function<void()> on_done) {
  on_done_ = std::move(on_done);
  started_ = true;
  present_ = engine().clients().size();
  if (!storms()) return;
  // Those that came during set-up make room; the first that count are those that come after them.
  for (Client& client : engine().clients()) {
    if (client.state == Client::State::ready) engine().leave(client);
  }
}

void Crowd::on_ready(Client& client) {
  ++progress_;
  if (!started_ || !storms()) return;
  const std::int64_t latency = now_ns() - client.opened_ns;
  engine().counters().latency.record(latency);
  engine().leave(client);
}

void Crowd::left(Client& client) {
  ++progress_;
  --present_;
  if (draining_ || to_come_ == 0) {
    if (present_ == 0) on_done_();
    return;
  }
  --to_come_;
  to_open_.push_back(&client);
}

void Crowd::on_round_done() {
  if (draining_) return;
  for (Client* client : std::exchange(to_open_, {})) {
    ++present_;
    engine().open(*client);
  }
}

void Crowd::on_packets(Client& client, PacketScanner& packets) {
  Packet packet;
  while (client.fd >= 0 && packets.next(packet)) {  // none of them is what the run waits for
    if (packet.type == PacketType::pingresp) {
      ++client.pings_answered;
    } else if (packet.type == PacketType::disconnect) {
      engine().lose(client, "disconnected by the broker");
    } else if (packet.type == PacketType::publish) {
      ++engine().counters().delivered;
      const auto delivery = parse_delivery(packet, options_.target.version);
      if (delivery && delivery->qos == 1) {
        engine().output().ack(PacketType::puback, delivery->packet_id);
      }
    }
  }
}

void Crowd::on_writable(Client&) {}

void Crowd::on_lost(Client&) {
  if (!started_) return;
  --present_;
  if (present_ == 0) on_done_();
}

void Crowd::drain() {
  draining_ = true;
  for (Client& client : engine().clients()) {
    if (client.state == Client::State::ready) engine().leave(client);
  }
  if (present_ == 0) on_done_();
}

void Crowd::give_up() {
  draining_ = true;
  on_done_();
}

}  // namespace hub::bench
