#include "broker/shard.h"

#include <random>

#include "broker/mqtt/disconnect_codec.h"

namespace hub::broker {
namespace {

// A hostile publisher of ever new topics costs this many cache entries and no more.
constexpr std::size_t kMaxCachedTopics = 100'000;
// Bursts that another shard may have untaken before this one stops reading its sockets.
constexpr std::uint32_t kMaxBurstsUnderWay = 16;
// What one turn may gather for other shards; the sockets that are left then are ready again later.
constexpr std::size_t kMaxBurstBytes = std::size_t{4} << 20;

}  // namespace

Shard::Shard(std::uint32_t id, std::uint32_t shard_count, boost::asio::io_context& io,
             const Options& options, ConnectionCount& open_connections)
    : id_(id),
      shard_count_(shard_count),
      io_(io),
      options_(options),
      open_connections_(open_connections),
      ready_(io, ::dup(poller_.native_handle())),
      timer_(io),
      topics_(
          index_, [this](std::string_view topic) { return sink_->route(topic); }, kMaxCachedTopics),
      retained_({.messages = options.max_retained_messages, .bytes = options.max_retained_bytes}),
      bursts_(shard_count),
      bursts_under_way_(shard_count),
      now_(std::chrono::steady_clock::now()),
      message_salt_((std::uint64_t{std::random_device{}()} << 40) | (std::uint64_t{id} << 32)) {
  read_buffer_ = std::make_unique_for_overwrite<char[]>(kReadBufferBytes + kPayloadPadding);
}

Shard::~Shard() = default;

void Shard::wait_ready() {
  ready_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                    [this](const boost::system::error_code& error) {
                      if (error) return;
                      on_ready();
                      // Otherwise the confirmation of a burst goes on with it.
                      reading_held_ = !peers_keep_up();
                      if (!reading_held_) wait_ready();
                    });
}

void Shard::on_ready() {
  const auto events = poller_.ready();
  begin_turn();
  for (const epoll_event& event : events) {
    const Connection::Handle handle = event.data.u64;
    if (handle == kListenerTag) {
      accept();
      continue;
    }
    Connection* connection = connections_.find(handle);
    if (connection == nullptr || connection->stage == Connection::Stage::closed) continue;
    if (connection->parked && (event.events & (EPOLLERR | EPOLLHUP)) != 0) {
      drop(handle, *connection, Will::publish);  // nothing that it sent could be answered
      continue;
    }
    if ((event.events & EPOLLOUT) != 0) mark_dirty(handle, *connection);
    if ((event.events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) read(handle, *connection);
    if (burst_bytes_ > kMaxBurstBytes) break;
  }
  finish_turn();
}

void Shard::begin_turn() {
  now_ = std::chrono::steady_clock::now();
  wall_now_ =
      std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
  sink_->begin_turn(wall_now_);
}

// Everything that was ready has been handled: one hand-over per shard and to the sink, one write
// per connection. Every entry into the shard ends here.
void Shard::finish_turn() {
  std::size_t gone = 0;
  do {
    if (std::exchange(room_grew_, false)) resume_parked();
    for (const Connection::Handle handle : std::exchange(resumed_, {})) resume(handle);
    flush_bursts();
    sink_->end_of_turn();
    gone = closed_.size();
    // By index: flushing lets queued deliveries go, which marks connections anew.
    for (std::size_t i = 0; i < dirty_.size(); ++i) {
      Connection* connection = connections_.find(dirty_[i]);
      if (connection == nullptr) continue;
      connection->dirty = false;
      flush(dirty_[i], *connection);
    }
    dirty_.clear();
    // Once more for the wills of those that could not be written to.
  } while (!resumed_.empty() || closed_.size() > gone);
  for (const Connection::Handle handle : closed_) connections_.erase(handle);
  closed_.clear();
  deadlines_.tidy([this](const Deadlines::Deadline& due) { return is_wanted(due); });
  arm_timer();
  if (stopping_) try_finish_stop();
}

void Shard::flush_bursts() {
  if (burst_bytes_ == 0) return;
  for (std::uint32_t shard = 0; shard < shard_count_; ++shard) {
    if (bursts_[shard].empty()) continue;
    ++bursts_under_way_[shard];
    peers_[shard].post(
        [burst = std::move(bursts_[shard]), from = peers_[id_], shard](Shard& peer) mutable {
          peer.receive(std::move(burst));
          from.post([shard](Shard& self) {
            --self.bursts_under_way_[shard];
            if (self.reading_held_ && self.peers_keep_up()) {
              self.reading_held_ = false;
              self.wait_ready();
            }
          });
        });
    bursts_[shard] = {};
  }
  burst_bytes_ = 0;
}

bool Shard::peers_keep_up() const {
  for (const std::uint32_t under_way : bursts_under_way_) {
    if (under_way >= kMaxBurstsUnderWay) return false;
  }
  return true;
}

bool Shard::is_wanted(const Deadlines::Deadline& deadline) const {
  switch (deadline.kind) {
    case Deadlines::Kind::connection:
      return connections_.find(deadline.owner) != nullptr;
    case Deadlines::Kind::will:
    case Deadlines::Kind::session_expiry:
      break;
    case Deadlines::Kind::stop:
      return true;
  }
  const Session* session = sessions_.find(deadline.owner);
  if (session == nullptr || session->connection != 0) return false;
  return deadline.kind == Deadlines::Kind::will
             ? session->will != nullptr && deadline.at == session->will_due
             : deadline.at == session->expires_at;
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
  while (const auto due = deadlines_.take_due(now_)) {
    switch (due->kind) {
      case Deadlines::Kind::connection:
        if (Connection* connection = connections_.find(due->owner)) {
          connection_deadline(due->owner, *connection);
        }
        break;
      case Deadlines::Kind::will:
      case Deadlines::Kind::session_expiry:
        session_deadline(*due);
        break;
      case Deadlines::Kind::stop:
        // try_finish_stop() looks at what is left; storage does not say when it became idle.
        deadlines_.add(now_ + std::chrono::milliseconds(10), Deadlines::Kind::stop, 0);
        break;
    }
  }
  finish_turn();
}

void Shard::start(FileDescriptor listener) {
  assert_home();
  listener_ = std::move(listener);
  poller_.add(listener_.get(), EPOLLIN, kListenerTag);
  wait_ready();
  arm_timer();
}

void Shard::stop(std::chrono::milliseconds grace, std::function<void(bool)> stopped) {
  assert_home();
  stopping_ = true;
  stopped_ = std::move(stopped);
  sink_->prepare_stop();
  begin_turn();
  stop_by_ = now_ + grace;
  deadlines_.add(now_, Deadlines::Kind::stop, 0);
  poller_.remove(listener_.get());
  listener_.reset();
  connections_.for_each([this](Connection::Handle handle, Connection& connection) {
    if (connection.stage == Connection::Stage::awaiting_connect) {
      drop(handle, connection, Will::discard);
    } else {
      watch(handle, connection);  // stops reading
    }
  });
  finish_turn();
}

void Shard::try_finish_stop() {
  const bool out_of_time = now_ >= stop_by_;
  if (!told_clients_ && (sink_->idle() || out_of_time)) {
    told_clients_ = true;
    connections_.for_each([this](Connection::Handle handle, Connection& connection) {
      if (connection.stage != Connection::Stage::open) return;
      mqtt::append_disconnect(connection.out(buffers_), connection.version,
                              mqtt::ReasonCode::server_shutting_down);
      detach_session(connection, Will::publish);
      start_closing(handle, connection);
      flush(handle, connection);
    });
  }
  const bool done = told_clients_ && connections_.size() == 0 && sink_->idle();
  if (!stopped_ || !(done || out_of_time)) return;
  connections_.for_each([this](Connection::Handle handle, Connection& connection) {
    drop(handle, connection, Will::discard);
  });
  ready_.cancel();
  timer_.cancel();
  std::exchange(stopped_, nullptr)(done);
}

}  // namespace hub::broker
