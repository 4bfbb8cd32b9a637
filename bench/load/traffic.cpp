#include "bench/load/traffic.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>
#include <limits>
#include <stdexcept>
#include <utility>

namespace hub::bench {
namespace {

// What one send() is given at most: more would only wait in the kernel. At QoS 0 also what is sent
// between two marks, of which so many may be unanswered.
constexpr std::size_t kSendBytes = std::size_t{64} << 10;
constexpr std::size_t kMarksInFlight = 4;
constexpr int kAckBytes = 4;
constexpr std::int64_t kShortestTickNs = 50'000;
constexpr std::uint32_t kMostTrackedPublishers = 1U << 20;
constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();

std::uint64_t quota_of(const Options& options, std::uint32_t publisher) {
  if (options.messages == 0) return kUnlimited;
  const std::uint64_t each = options.messages / options.publishers;
  return each + (publisher < options.messages % options.publishers ? 1 : 0);
}

}  // namespace

Traffic::Traffic(const Options& options, Share share)
    : Worker(options.target,
             share.size_of(options.publishers) + share.size_of(options.subscribers)),
      options_(options),
      share_(share),
      topic_(options.topic),
      payload_(options.payload),
      stamp_at_(payload_.stamp_offset()),
      ticker_(engine().context()),
      subscribers_(share.size_of(options.subscribers)) {
  const std::uint32_t count = share.size_of(options.publishers);
  if (options.publishers > 0 && options.subscribers > 0) {
    copies_ = options.mode == Mode::pair ? 1 : options.subscribers;
    if (!stamp_at_) throw std::invalid_argument("the payload needs a {stamp} to be followed");
  }
  const std::size_t streams = options.mode == Mode::pair ? 1 : options.publishers;
  for (Subscriber& subscriber : subscribers_) subscriber.last_sequence.resize(streams);
  publishers_.reserve(count);
  for (std::uint32_t local = 0; local < count; ++local) {
    const std::uint32_t index = share.global(local);
    publishers_.push_back({.source = {payload_,
                                      topic_.for_client(index),
                                      index,
                                      {.version = options.target.version,
                                       .qos = options.qos,
                                       .retain = options.retain,
                                       .seed = options.seed}},
                           .in_flight = InFlight{options.window},
                           .quota = quota_of(options, index),
                           .allowed = options.pace == Pace::closed ? kUnlimited : 0});
    if (publishers_.back().source.max_bytes() > kSendBytes) {
      throw std::invalid_argument(
          fmt::format("the payload is too large: {} bytes at most", kSendBytes));
    }
  }
  if (options.pace != Pace::closed && count > 0) {
    period_ns_ = 1e9 / options.rate * options.publishers / count;
  }
}

ClientPlan Traffic::plan(std::uint32_t client) const {
  const auto& prefix = options_.target.client_prefix;
  if (client >= subscribers_.size()) {
    const auto local = client - static_cast<std::uint32_t>(subscribers_.size());
    return {.client_id = fmt::format("{}-p{}", prefix, share_.global(local))};
  }
  const std::uint32_t index = share_.global(client);
  const std::string& filter = options_.filter.empty() ? options_.topic : options_.filter;
  return {.client_id = fmt::format("{}-s{}", prefix, index),
          .filter = TextTemplate{filter}.for_client(index),
          .qos = options_.qos};
}

void Traffic::start(std::function<void()> on_done) {
  on_done_ = std::move(on_done);
  started_ = true;
  start_ns_ = now_ns();
  open_publishers_ = static_cast<std::size_t>(std::count_if(
      publishers_.begin(), publishers_.end(), [](const Publisher& each) { return !each.done; }));
  for (std::size_t index = 0; index < publishers_.size(); ++index) {
    batch_acks(client_of(index), publishers_[index]);
    touch(index);
  }
  if (options_.pace != Pace::closed) tick();
  on_round_done();
  if (open_publishers_ == 0 && options_.publishers > 0)
    boost::asio::post(engine().context(), on_done_);
}

void Traffic::on_ready(Client& client) {
  if (!is_publisher(client)) return;
  Publisher& publisher = publisher_of(client);
  if (client.connack.maximum_qos < options_.qos) {
    engine().lose(client,
                  fmt::format("the broker takes QoS {} at most", client.connack.maximum_qos));
    return;
  }
  publisher.in_flight.set_limit(client.connack.receive_maximum);
  if (!started_) return;
  batch_acks(client, publisher);
  touch(client.index - subscribers_.size());
}

// --- sending ---------------------------------------------------------------------------------

bool Traffic::may_send(const Publisher& publisher) const noexcept {
  const std::uint64_t written = publisher.source.written();
  return written < publisher.allowed && written < publisher.quota &&
         (options_.qos == 0 ? publisher.marks.size() < kMarksInFlight
                            : publisher.in_flight.may_send()) &&
         (copies_ == 0 || written - publisher.deliveries / copies_ < options_.window);
}

std::int64_t Traffic::intended_ns(const Publisher& publisher) const noexcept {
  const auto place = static_cast<std::uint64_t>(&publisher - publishers_.data());
  const std::uint64_t before = publisher.source.written() * publishers_.size() + place;
  return start_ns_ + static_cast<std::int64_t>(static_cast<double>(before) * period_ns_);
}

void Traffic::publish(Client& client, Publisher& publisher) {
  if (!started_ || client.state != Client::State::ready || Engine::blocked(client)) return;
  Engine::Output& out = engine().output();
  const std::int64_t now = now_ns();
  const std::int64_t wall = wall_ms();
  const bool open = options_.pace == Pace::open;
  std::uint64_t messages = 0;
  std::size_t bytes = 0;
  for (; bytes + publisher.source.max_bytes() <= kSendBytes &&
         out.room() >= publisher.source.max_bytes() && may_send(publisher);
       ++messages) {
    const std::int64_t sent = open ? intended_ns(publisher) : now;
    if (open) engine().counters().send_lag.record(now - sent);
    const std::uint16_t packet_id = options_.qos > 0 ? publisher.in_flight.send(sent) : 0;
    const std::size_t written = publisher.source.write(out.at(), packet_id, sent, wall);
    out.added(written);
    bytes += written;
  }
  if (messages == 0) return;
  engine().counters().published += messages;
  engine().send(client);
  if (options_.qos == 0) {
    publisher.unmarked_bytes += bytes;
    if (publisher.unmarked_bytes >= kSendBytes / 2) mark(client, publisher);
  } else if (publisher.source.written() >= publisher.quota) {
    Engine::read_from(client, 1);
  }
  if (may_send(publisher) && !Engine::blocked(client)) engine().call_when_writable(client);
}

void Traffic::mark(Client& client, Publisher& publisher) {
  engine().ping(client);
  publisher.marks.push_back({client.pings_sent, publisher.source.written()});
  publisher.unmarked_bytes = 0;
}

// A publisher that only waits for room in its window need not be woken for every single one.
void Traffic::batch_acks(Client& client, const Publisher& publisher) {
  if (options_.qos == 0 || options_.pace != Pace::closed || copies_ > 0) return;
  Engine::read_from(client, kAckBytes * std::max(publisher.in_flight.limit() / 2, 1));
}

void Traffic::on_writable(Client& client) {
  if (!started_ || !is_publisher(client)) return;
  touch(client.index - subscribers_.size());
}

void Traffic::touch(std::size_t publisher) {
  if (std::exchange(publishers_[publisher].touched, true)) return;
  touched_.push_back(publisher);
}

void Traffic::on_round_done() {
  if (!started_) return;
  for (std::size_t at = 0; at < touched_.size(); ++at) {
    Publisher& publisher = publishers_[touched_[at]];
    Client& client = client_of(touched_[at]);
    publisher.touched = false;
    publish(client, publisher);
    check_done(client, publisher);
  }
  touched_.clear();
}

// Lets the messages go that are due by now, and waits for the next one.
void Traffic::tick() {
  if (draining_) return;
  const auto passed = static_cast<double>(now_ns() - start_ns_);
  grant(static_cast<std::uint64_t>(passed / period_ns_) + 1);
  on_round_done();
  if (draining_) return;
  const auto next = static_cast<std::int64_t>(static_cast<double>(granted_) * period_ns_);
  const std::int64_t at = std::max(start_ns_ + next, now_ns() + kShortestTickNs);
  ticker_.expires_at(std::chrono::steady_clock::time_point{std::chrono::nanoseconds{at}});
  ticker_.async_wait([this](const boost::system::error_code& error) {
    if (!error) tick();
  });
}

void Traffic::grant(std::uint64_t due) {
  for (; granted_ < due; ++granted_) {
    const std::size_t index = granted_ % publishers_.size();
    Publisher& publisher = publishers_[index];
    // A capped publisher that could not use its turn does not get it back.
    publisher.allowed =
        options_.pace == Pace::open ? publisher.allowed + 1 : publisher.source.written() + 1;
    touch(index);
  }
}

// --- receiving -------------------------------------------------------------------------------

void Traffic::on_packets(Client& client, PacketScanner& packets) {
  read_ns_ = now_ns();
  const bool publishes = is_publisher(client);
  Packet packet;
  while (client.fd >= 0 && packets.next(packet)) {
    if (packet.type != PacketType::pingresp) ++progress_;
    if (publishes && packet.type >= PacketType::puback && packet.type <= PacketType::pubcomp) {
      on_ack(client, publisher_of(client), packet);
    } else if (packet.type == PacketType::publish) {
      on_delivery(client, packet);
    } else if (packet.type == PacketType::pubrel) {
      engine().output().ack(PacketType::pubcomp, parse_ack(packet.body).packet_id);
    } else if (packet.type == PacketType::pingresp) {
      on_pingresp(client);
    } else if (packet.type == PacketType::disconnect) {
      const auto reason =
          packet.body.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(packet.body.front());
      engine().lose(client, fmt::format("disconnected by the broker: {}", reason_name(reason)));
      return;
    } else {
      engine().lose(client, "unexpected packet from the broker");
      return;
    }
  }
  if (started_ && publishes && client.fd >= 0) {
    Publisher& publisher = publisher_of(client);
    publish(client, publisher);
    check_done(client, publisher);
  }
}

void Traffic::on_pingresp(Client& client) {
  ++client.pings_answered;
  if (!is_publisher(client)) return;
  Publisher& publisher = publisher_of(client);
  while (!publisher.marks.empty() && publisher.marks.front().ping <= client.pings_answered) {
    const std::uint64_t arrived = publisher.marks.front().written;
    engine().counters().acked += arrived - std::exchange(publisher.arrived, arrived);
    ++progress_;
    publisher.marks.erase(publisher.marks.begin());
  }
}

void Traffic::on_ack(Client& client, Publisher& publisher, const Packet& packet) {
  const Ack ack = parse_ack(packet.body);
  if (ack.reason >= 0x80) {
    refused(packet.type, ack.reason);
    if (packet.type == PacketType::pubcomp) {
      publisher.in_flight.on_pubcomp(ack.packet_id);
    } else {
      publisher.in_flight.on_puback(ack.packet_id);  // a refusal ends the exchange
    }
    return;
  }
  switch (packet.type) {
    case PacketType::puback:
      return acknowledged(publisher.in_flight.on_puback(ack.packet_id), true);
    case PacketType::pubrec:
      engine().output().ack(PacketType::pubrel, ack.packet_id);
      return acknowledged(publisher.in_flight.on_pubrec(ack.packet_id), false);
    case PacketType::pubcomp:
      return acknowledged(publisher.in_flight.on_pubcomp(ack.packet_id), true);
    default:
      engine().lose(client, "unexpected packet from the broker");
  }
}

void Traffic::acknowledged(const InFlight::Result& result, bool last) {
  Counters& counters = engine().counters();
  if (result.outcome == InFlight::Outcome::unexpected) {
    ++counters.unexpected_acks;
    return;
  }
  if (result.outcome == InFlight::Outcome::out_of_order) ++counters.out_of_order_acks;
  if (!last) return;
  ++counters.acked;
  if (copies_ == 0) counters.latency.record(read_ns_ - result.sent_ns);
}

void Traffic::refused(PacketType type, std::uint8_t reason) {
  const char* name = type == PacketType::puback   ? "PUBACK"
                     : type == PacketType::pubrec ? "PUBREC"
                                                  : "PUBCOMP";
  ++engine().counters().errors[fmt::format("{}: {}", name, reason_name(reason))];
}

void Traffic::on_delivery(Client& client, const Packet& packet) {
  const auto delivery = parse_delivery(packet, options_.target.version);
  if (!delivery) {
    engine().lose(client, "malformed PUBLISH from the broker");
    return;
  }
  if (delivery->qos == 1) engine().output().ack(PacketType::puback, delivery->packet_id);
  if (delivery->qos == 2) engine().output().ack(PacketType::pubrec, delivery->packet_id);
  ++engine().counters().delivered;
  if (is_publisher(client)) {
    ++engine().counters().misrouted;
  } else if (stamp_at_) {
    check_stamp(client, *delivery);
  }
}

void Traffic::check_stamp(Client& client, const Delivery& delivery) {
  Counters& counters = engine().counters();
  Stamp stamp;
  if (delivery.payload.size() < *stamp_at_ + Stamp::kBytes ||
      !Stamp::read(delivery.payload.substr(*stamp_at_, Stamp::kBytes), stamp)) {
    ++counters.misrouted;
    return;
  }
  counters.latency.record(read_ns_ - stamp.sent_ns);

  auto& streams = subscribers_[client.index].last_sequence;
  std::size_t stream = stamp.publisher;
  if (options_.mode == Mode::pair) {
    stream = stamp.publisher == share_.global(client.index) ? 0 : streams.size();
  } else if (options_.mode == Mode::sub && stream < kMostTrackedPublishers) {
    if (stream >= streams.size()) streams.resize(stream + 1);
    if (streams[stream] == 0) streams[stream] = stamp.sequence - 1;  // we came in the middle
  }
  if (stream >= streams.size()) {
    ++counters.misrouted;
    return;
  }
  std::uint64_t& last = streams[stream];
  std::uint64_t passed = 1;
  if (stamp.sequence <= last) {
    if (delivery.qos != 1 || !delivery.dup) ++counters.duplicates;
    return;
  }
  passed = stamp.sequence - last;
  counters.undelivered += passed - 1;
  last = stamp.sequence;
  if (copies_ == 0) return;
  const std::size_t local = stamp.publisher / share_.stride;
  publishers_[local].deliveries += passed;
  touch(local);
}

// --- the end ---------------------------------------------------------------------------------

void Traffic::drain() {
  draining_ = true;
  ticker_.cancel();
  for (std::size_t index = 0; index < publishers_.size(); ++index) {
    publishers_[index].quota =
        std::min(publishers_[index].quota, publishers_[index].source.written());
    Engine::read_from(client_of(index), 1);
    touch(index);
  }
  on_round_done();
  if (open_publishers_ == 0) on_done_();
}

void Traffic::check_done(Client& client, Publisher& publisher) {
  if (publisher.done || publisher.source.written() < publisher.quota) return;
  if (publisher.deliveries < publisher.source.written() * copies_) return;
  if (options_.qos > 0) {
    if (publisher.in_flight.count() == 0) finish(publisher);
    return;
  }
  if (Engine::blocked(client) || client.state != Client::State::ready) return;
  if (publisher.arrived == publisher.source.written()) {
    finish(publisher);
  } else if (!std::exchange(publisher.last_mark, true)) {
    mark(client, publisher);
  }
}

void Traffic::finish(Publisher& publisher) {
  publisher.done = true;
  if (--open_publishers_ > 0) return;
  draining_ = true;
  on_done_();
}

void Traffic::on_lost(Client& client) {
  if (!is_publisher(client)) return;
  Publisher& publisher = publisher_of(client);
  if (options_.qos > 0) {
    engine().counters().unanswered += publisher.in_flight.clear();
  } else if (!publisher.done) {
    engine().counters().unanswered += publisher.source.written() - publisher.arrived;
    publisher.arrived = publisher.source.written();
    publisher.marks.clear();
  }
  if (publisher.done) return;
  if (options_.reconnect && !draining_) {
    engine().open_later(client);
    return;
  }
  if (started_) {
    finish(publisher);
  } else {
    publisher.done = true;
  }
}

void Traffic::give_up() {
  draining_ = true;
  ticker_.cancel();
  Counters& counters = engine().counters();
  for (std::size_t index = 0; index < publishers_.size(); ++index) {
    Publisher& publisher = publishers_[index];
    if (publisher.done) continue;
    const std::uint64_t written = publisher.source.written();
    counters.unanswered +=
        options_.qos > 0 ? publisher.in_flight.clear() : written - publisher.arrived;
    if (written * copies_ > publisher.deliveries) {
      counters.undelivered += written * copies_ - publisher.deliveries;
    }
    publisher.done = true;
  }
  open_publishers_ = 0;
  on_done_();
}

Counters Traffic::snapshot() {
  Counters counters = Worker::snapshot();
  for (const Publisher& publisher : publishers_) counters.sums += publisher.source.sums();
  return counters;
}

}  // namespace hub::bench
