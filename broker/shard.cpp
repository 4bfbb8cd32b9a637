#include "broker/shard.h"

#include <random>
#include <utility>

namespace hub::broker {
namespace {

std::uint64_t random_salt(std::uint32_t id) {
  return (std::uint64_t{std::random_device{}()} << 40) | (std::uint64_t{id} << 32);
}

Timestamp wall_clock() {
  return std::chrono::time_point_cast<Timestamp::duration>(std::chrono::system_clock::now());
}

}  // namespace

Shard::Shard(std::uint32_t id, std::uint32_t shard_count, boost::asio::io_context& io,
             const Options& options, ConnectionCount& open_connections)
    : id_(id),
      options_(options),
      time_{std::chrono::steady_clock::now(), {}},
      peers_(*this, id, shard_count),
      dispatch_(router_, peers_, counters_, time_, random_salt(id)),
      clients_(options_, counters_, time_, deadlines_, open_connections, sessions_, *this, peers_),
      sessions_(options_, counters_, time_, clients_, dispatch_, *this,
                {.shard = id, .shard_count = shard_count, .hub_start = dispatch_.salt() >> 32}),
      router_(
          {.keeps_retained = id == ShardPeers::kKeeper,
           .retained = {.messages = options.max_retained_messages,
                        .bytes = options.max_retained_bytes}},
          [this](std::string_view topic) { return sink_->route(topic); }, sessions_.subscribers(),
          peers_),
      ready_(io, ::dup(clients_.poll_descriptor())),
      timer_(io) {}

void Shard::set_sink(std::unique_ptr<PublishSink> sink) {
  sink_ = std::move(sink);
  dispatch_.set_sink(*sink_);
  sessions_.set_meter(sink_->meter());
}

void Shard::listen(ListeningSocket listener) {
  assert_home();
  clients_.listen(std::move(listener));
  if (std::exchange(started_, true)) return;
  wait_ready();
  arm_timer();
}

void Shard::wait_ready() {
  ready_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                    [this](const boost::system::error_code& error) {
                      if (error) return;
                      on_ready();
                      // Otherwise on_burst_taken() goes on with it.
                      reading_held_ = !peers_.keep_up();
                      if (!reading_held_) wait_ready();
                    });
}

void Shard::on_ready() {
  const auto events = clients_.ready();
  begin_turn();
  for (const epoll_event& event : events) {
    clients_.on_event(event);
    if (peers_.burst_is_large()) break;  // the other sockets are ready again later
  }
  finish_turn();
}

void Shard::begin_turn() {
  time_ = {std::chrono::steady_clock::now(), wall_clock()};
  sink_->begin_turn(time_.wall);
  router_.set_sink_route_version(sink_->route_version());
}

// Everything that was ready has been handled: one hand-over per shard and to the sink, one write
// per connection. Every entry into the shard ends here.
void Shard::finish_turn() {
  do {
    clients_.go_on();
    peers_.flush();
    // Before the writes: what they tell the clients may rest on what the sink has by then.
    sink_->end_of_turn();
    // Once more for the wills of those that could not be written to.
  } while (!clients_.flush());
  clients_.erase_closed();
  deadlines_.tidy([this](const Deadlines::Deadline& due) { return is_wanted(due); });
  if (clients_.next_turn_is_due()) deadlines_.add(time_.steady, Deadlines::Kind::turn, 0);
  arm_timer();
  if (stop_) try_finish_stop();
}

void Shard::wake_at(SteadyTime at, Wake why, std::uint64_t owner) {
  const auto kind = why == Wake::keep_alive ? Deadlines::Kind::connection
                    : why == Wake::will     ? Deadlines::Kind::will
                                            : Deadlines::Kind::session_expiry;
  deadlines_.add(at, kind, owner);
}

bool Shard::is_wanted(const Deadlines::Deadline& deadline) const {
  switch (deadline.kind) {
    case Deadlines::Kind::connection:
      return clients_.is_connected(deadline.owner);
    case Deadlines::Kind::will:
      return sessions_.is_wanted(Wake::will, deadline.owner, deadline.at);
    case Deadlines::Kind::session_expiry:
      return sessions_.is_wanted(Wake::session_expiry, deadline.owner, deadline.at);
    case Deadlines::Kind::turn:
    case Deadlines::Kind::stop:
      break;
  }
  return true;
}

void Shard::arm_timer() {
  const auto earliest = deadlines_.earliest();
  if (!earliest || (timer_at_ && *timer_at_ <= *earliest)) return;
  timer_at_ = earliest;
  timer_.expires_at(*earliest);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    timer_at_.reset();
    on_timer();
  });
}

void Shard::on_timer() {
  begin_turn();
  while (const auto due = deadlines_.take_due(time_.steady)) {
    switch (due->kind) {
      case Deadlines::Kind::connection:
        clients_.on_deadline(due->owner);
        break;
      case Deadlines::Kind::will:
        sessions_.on_wake(Wake::will, due->owner);
        break;
      case Deadlines::Kind::session_expiry:
        sessions_.on_wake(Wake::session_expiry, due->owner);
        break;
      case Deadlines::Kind::turn:
        break;  // this is the one
      case Deadlines::Kind::stop:
        // try_finish_stop() looks at what is left; storage does not say when it became idle.
        deadlines_.add(time_.steady + std::chrono::milliseconds(10), Deadlines::Kind::stop, 0);
        break;
    }
  }
  finish_turn();
}

// What a commit was waited for goes to the connection that its session has now, if that asked.
void Shard::on_committed(std::span<const AckToken> tokens) {
  assert_home();
  begin_turn();
  clients_.room_grew();
  for (const AckToken& token : tokens) sessions_.on_durable(token);
  finish_turn();
}

void Shard::publish_own(const std::vector<std::pair<std::string, std::string>>& messages) {
  assert_home();
  begin_turn();
  for (const auto& [topic, payload] : messages) dispatch_.route_own(topic, payload);
  finish_turn();
}

void Shard::adopt(Connection connection) {
  assert_home();
  begin_turn();
  clients_.adopt(std::move(connection));
  finish_turn();
}

void Shard::receive(const ShardPeers::Burst& burst) {
  assert_home();
  begin_turn();
  for (const ShardPeers::Remote& remote : burst) {
    if (remote.retain) {
      dispatch_.keep_retained(remote.message);
    } else {
      dispatch_.deliver_here(remote.message);
    }
  }
  finish_turn();
}

void Shard::on_burst_taken(std::uint32_t shard) {
  assert_home();
  peers_.on_burst_taken(shard);
  if (!reading_held_ || !peers_.keep_up()) return;
  reading_held_ = false;
  wait_ready();
}

void Shard::set_remote_interest(const std::string& filter, std::uint32_t shard, bool wanted) {
  assert_home();
  router_.set_remote_interest(filter, shard, wanted);
}

void Shard::on_interest_confirmed(std::uint64_t request) {
  assert_home();
  if (!peers_.confirm_interest(request)) return;
  begin_turn();
  on_interest_known(request);
  finish_turn();
}

std::vector<MessageRef> Shard::matching_retained(std::string_view filter) {
  assert_home();
  // Not the turn's time: it may be asked for between two turns.
  return router_.matching_retained(filter, wall_clock());
}

void Shard::deliver_retained(std::uint64_t session, const RoutingEffects::RetainedWish& wish,
                             const std::vector<MessageRef>& messages) {
  for (const MessageRef& message : messages) {
    RoutedMessage routed = dispatch_.as_routed(message);
    sessions_.deliver_retained(session, routed,
                               {wish.qos, true, {&wish.identifier, wish.identifier != 0}});
  }
}

void Shard::on_retained(std::uint64_t session, const RoutingEffects::RetainedWish& wish,
                        const std::vector<MessageRef>& messages) {
  assert_home();
  begin_turn();
  deliver_retained(session, wish, messages);
  finish_turn();
}

void Shard::stop(std::chrono::milliseconds grace, std::function<void(bool)> stopped) {
  assert_home();
  sink_->prepare_stop();
  begin_turn();
  stop_ = Stop{time_.steady + grace, std::move(stopped)};
  deadlines_.add(time_.steady, Deadlines::Kind::stop, 0);
  clients_.stop_listening();
  clients_.stop_reading();
  finish_turn();
}

void Shard::try_finish_stop() {
  const bool out_of_time = time_.steady >= stop_->by;
  if (!stop_->clients_told && (sink_->idle() || out_of_time)) {
    stop_->clients_told = true;
    clients_.disconnect_all(mqtt::ReasonCode::server_shutting_down);
  }
  const bool done = stop_->clients_told && clients_.size() == 0 && sink_->idle();
  if (!stop_->stopped || !(done || out_of_time)) return;
  clients_.drop_all();
  ready_.cancel();
  timer_.cancel();
  std::exchange(stop_->stopped, nullptr)(done);
}

}  // namespace hub::broker
