// CONNECT, DISCONNECT, and the life of sessions and wills.
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "base/log.h"
#include "broker/mqtt/disconnect_codec.h"
#include "broker/shard.h"

namespace hub::broker {
namespace {

// States that wait for a batch before one is asked for on their behalf alone.
constexpr std::size_t kMostWaitingStates = 1'000;

}  // namespace

using mqtt::ProtocolVersion;
using mqtt::ReasonCode;

std::uint32_t Shard::home_of(std::string_view client_id) const {
  return static_cast<std::uint32_t>(std::hash<std::string_view>{}(client_id) % shard_count_);
}

// One that hashes to this shard, so that its session is found here when it comes back.
std::string Shard::assign_client_id() {
  for (;;) {
    std::string id = fmt::format("hub-{:08x}-{}-{}", message_salt_ >> 32, id_, ++assigned_ids_);
    if (home_of(id) == id_) return id;
  }
}

Session* Shard::find_session(std::string_view client_id) {
  const auto found = by_client_id_.find(client_id);
  return found == by_client_id_.end() ? nullptr : found->second;
}

Session& Shard::make_session(std::string_view client_id) {
  const auto [handle, session] = sessions_.emplace();
  session->handle = handle;
  session->client_id = client_id;
  by_client_id_.emplace(session->client_id, session);
  return *session;
}

void Shard::refuse_connect(Connection::Handle handle, Connection& connection,
                           const mqtt::ConnectError& error) {
  using Answer = mqtt::ConnectError::Answer;
  ++(error.reason == ReasonCode::malformed_packet ? counters_.malformed_packets
                                                  : counters_.protocol_errors);
  log::debug("refusing {}: {}: {}", connection.peer(), mqtt::name(error.reason), error.what);
  if (error.answer == Answer::close) {
    drop(handle, connection, Will::discard);
    return;
  }
  mqtt::Connack refusal;
  refusal.reason = error.reason;
  mqtt::append_connack(
      connection.out(buffers_),
      error.answer == Answer::connack_v5 ? ProtocolVersion::v5 : ProtocolVersion::v311, refusal);
  start_closing(handle, connection);
}

Shard::Progress Shard::handle_connect(Connection::Handle handle, Connection& connection,
                                      std::string_view body) {
  using Answer = mqtt::ConnectError::Answer;
  const auto connect = mqtt::decode_connect(body);
  if (!connect) {
    refuse_connect(handle, connection, connect.error());
    return Progress::stop;
  }
  const auto refuse = [&](ReasonCode reason, const char* what) {
    refuse_connect(
        handle, connection,
        {{reason, 0, what},
         connect->version == ProtocolVersion::v5 ? Answer::connack_v5 : Answer::connack_v311});
    return Progress::stop;
  };
  if (connect->authentication_method) {
    return refuse(ReasonCode::bad_authentication_method, "enhanced authentication is not on offer");
  }
  if (connect->will && is_own_topic(connect->will->topic)) {
    return refuse(ReasonCode::topic_name_invalid, "a will below $SYS");
  }
  if (connect->client_id.size() > options_.max_client_id_bytes) {
    ++counters_.connections_refused;
    return refuse(ReasonCode::client_identifier_not_valid, "a client id that is too long");
  }
  std::string assigned;
  std::string_view client_id = connect->client_id;
  if (client_id.empty()) client_id = assigned = assign_client_id();

  if (const std::uint32_t home = home_of(client_id); home != id_) {
    poller_.remove(connection.socket.get());
    HandOver hand_over{std::move(connection.socket), std::string{connect_input_}};
    connection.stage = Connection::Stage::closed;
    closed_.push_back(handle);
    peers_[home].post([hand_over = std::move(hand_over)](Shard& shard) mutable {
      shard.adopt(std::move(hand_over));
    });
    return Progress::stop;
  }
  if (sessions_.size() >= options_.max_sessions && find_session(client_id) == nullptr) {
    ++counters_.connections_refused;
    return refuse(ReasonCode::server_busy, "as many sessions as the configuration allows");
  }
  open_session(handle, connection, *connect, client_id);
  return connection.output_held ? Progress::wait : Progress::next;
}

void Shard::open_session(Connection::Handle handle, Connection& connection,
                         const mqtt::ConnectView& connect, std::string_view client_id) {
  const std::string kept_client_id{client_id};  // the session that it may be borrowed from ends
  Session* session = find_session(client_id);
  if (session != nullptr) {
    // One that ends with its connection ends with this one's coming, too [MQTT-3.1.2-6].
    const bool ends = connect.clean_start || !session->persistent();
    take_over(*session, ends);
    if (ends) {
      end_session(*session);
      session = nullptr;
    }
  }
  const bool session_present = session != nullptr;
  if (session == nullptr) session = &make_session(kept_client_id);

  const auto expiry_max = static_cast<std::uint32_t>(options_.session_expiry_max.count());
  session->connection = handle;
  session->username = connect.username.value_or("");
  if (meter_ != nullptr) meter_->device(session->client_id, session->metered_on);
  change_expiry(*session, std::min(connect.session_expiry, expiry_max));
  // Whoever has an acknowledgement finds the session again: it goes with the first batch that is
  // closed anyhow.
  if (!session_present && session->persistent()) save_with_next_batch(*session);
  session->will.reset();
  if (connect.will) {
    MessageView will;
    will.topic = connect.will->topic;
    will.payload = connect.will->payload;
    will.client_id = session->client_id;
    will.username = session->username;
    will.qos = connect.will->qos;
    will.retain = connect.will->retain;
    forwarded_properties_.clear();
    mqtt::append_forwarded_properties(forwarded_properties_, connect.will->properties);
    session->will = Message::make(will, forwarded_properties_);
    session->will_expiry_seconds = connect.will->message_expiry;
    session->will_delay_seconds = static_cast<std::uint32_t>(connect.will->delay.count());
  }
  const std::uint16_t quota = std::min(connect.receive_maximum, options_.max_inflight);
  session->send_quota = quota;
  if (session->outbound) session->outbound->set_send_quota(quota);

  connection.stage = Connection::Stage::open;
  connection.version = connect.version;
  connection.session = session->handle;
  connection.keep_alive_seconds = static_cast<std::uint16_t>(connect.keep_alive.count());
  connection.max_packet_to_client = connect.maximum_packet_size;
  connection.problem_information = connect.request_problem_information;
  if (connection.keep_alive_seconds > 0) {
    deadlines_.add(now_ + std::chrono::milliseconds(1'500) * connection.keep_alive_seconds,
                   Deadlines::Kind::connection, handle);
  }

  mqtt::Connack connack;
  connack.session_present = session_present;
  if (session->expiry_seconds != connect.session_expiry) {
    connack.session_expiry = session->expiry_seconds;
  }
  connack.receive_maximum = options_.receive_maximum;
  connack.maximum_packet_size = options_.max_packet_bytes;
  if (connect.client_id.empty()) connack.assigned_client_id = session->client_id;
  connack.shared_subscriptions_available = false;
  mqtt::append_connack(connection.out(buffers_), connection.version, connack);
  mark_dirty(handle, connection);
  if (forgetting_counts_.contains(session->client_id)) {
    // Were the hub to die now, the packet ids of the former session would come back and swallow
    // messages of this one: the client may go on once they are gone for good.
    connection.output_held = true;
    owe(*session, Owed::connack, 0);
    watch(handle, connection);
  }
  resume_flows(handle, connection, *session);
}

// A second connection with the same client id ends the first [MQTT-3.1.4-3].
void Shard::take_over(Session& session, bool session_ends) {
  Connection* old = connections_.find(session.connection);
  if (old != nullptr) {
    const Connection::Handle handle = session.connection;
    ++counters_.sessions_taken_over;
    mqtt::append_disconnect(old->out(buffers_), old->version, ReasonCode::session_taken_over);
    old->session = 0;
    session.connection_lost();
    start_closing(handle, *old);
  } else if (!session_ends) {
    session.will.reset();  // back before the delay was over [MQTT-3.1.3-9]
  }
  if (session.will && (session_ends || session.will_delay_seconds == 0)) publish_will(session);
}

// What was sent and not acknowledged goes again, in its order, before anything new [MQTT-4.4.0-1].
void Shard::resume_flows(Connection::Handle handle, Connection& connection, Session& session) {
  if (!session.outbound) return;
  session.outbound->resume([&](mqtt::PacketId id) {
    mqtt::append_ack(connection.out(buffers_), connection.version, mqtt::PacketType::pubrel, id);
  });
  send_waiting(handle, connection, session);
}

void Shard::handle_disconnect(Connection::Handle handle, Connection& connection,
                              std::string_view body) {
  const auto disconnect = mqtt::decode_disconnect(connection.version, body);
  if (!disconnect) {
    fail(handle, connection, disconnect.error().reason, disconnect.error().what);
    return;
  }
  Session* session = sessions_.find(connection.session);
  if (disconnect->session_expiry) {
    if (session->expiry_seconds == 0 && *disconnect->session_expiry != 0) {
      fail(handle, connection, ReasonCode::protocol_error,
           "a session expiry in DISCONNECT where CONNECT had none (section 3.14.2.2.2)");
      return;
    }
    change_expiry(*session,
                  std::min(*disconnect->session_expiry,
                           static_cast<std::uint32_t>(options_.session_expiry_max.count())));
  }
  const bool with_will = disconnect->reason == ReasonCode::disconnect_with_will_message ||
                         mqtt::is_failure(disconnect->reason);
  const Will will = with_will ? Will::publish : Will::discard;
  if (connection.unsent_bytes() == 0) {
    drop(handle, connection, will);  // there is nothing left to say
  } else {
    detach_session(connection, will);
    start_closing(handle, connection);
  }
}

// The connection of a session is gone: the will, and the session itself, have their time from now.
void Shard::client_is_away(Session& session) {
  if (session.will && (session.will_delay_seconds == 0 || !session.persistent())) {
    publish_will(session);
  }
  if (!session.persistent()) {
    end_session(session);
    return;
  }
  if (session.will) {
    const auto delay =
        std::chrono::seconds{std::min(session.will_delay_seconds, session.expiry_seconds)};
    session.will_due = now_ + delay;
    deadlines_.add(session.will_due, Deadlines::Kind::will, session.handle);
  }
  session.expires_at = now_ + std::chrono::seconds{session.expiry_seconds};
  deadlines_.add(session.expires_at, Deadlines::Kind::session_expiry, session.handle);
}

void Shard::session_deadline(const Deadlines::Deadline& due) {
  Session* session = sessions_.find(due.owner);
  if (session == nullptr || session->connection != 0) return;  // the client is back
  if (due.kind == Deadlines::Kind::will) {
    if (session->will && now_ >= session->will_due) publish_will(*session);
  } else if (now_ >= session->expires_at) {
    ++counters_.sessions_expired;
    if (session->will) publish_will(*session);
    end_session(*session);
  }
}

void Shard::publish_will(Session& session) {
  const MessageRef will = std::exchange(session.will, nullptr);
  MessageView view = will->view();
  view.id = next_message_id();
  view.received_at = wall_now_;
  std::optional<Timestamp> expires_at;
  if (session.will_expiry_seconds) {
    expires_at = wall_now_ + std::chrono::seconds{*session.will_expiry_seconds};
  }
  route_own(view, will->properties(), expires_at);
}

void Shard::end_session(Session& session) {
  for (const RoutedFilter* filter : session.subscriptions) remove_interest(session, filter->text());
  if (session.outbound) {
    counters_.dropped_session_ended += session.outbound->queued() + session.outbound->in_flight();
  }
  if (session.state_saved) {
    forgotten_sessions_.push_back(session.client_id);
    sink_->durable_change_waits();
  }
  if (session.state_held_something) {  // nobody may find it in the next session
    forgetting_.push_back(session.client_id);
    ++forgetting_counts_[session.client_id];
    sink_->acknowledge_after_commit({0, static_cast<std::uint32_t>(Owed::forgetting) << 16, 0});
  }
  by_client_id_.erase(session.client_id);
  sessions_.erase(session.handle);
}

void Shard::forgotten_for_good() {
  const auto count = forgetting_counts_.find(forgetting_.front());
  if (--count->second == 0) forgetting_counts_.erase(count);
  forgetting_.pop_front();
}

void Shard::change_expiry(Session& session, std::uint32_t seconds) {
  if (std::exchange(session.expiry_seconds, seconds) == seconds) return;
  if (session.state_saved) mark_state_dirty(session);
}

void Shard::mark_state_dirty(Session& session) {
  save_with_next_batch(session);
  announce_states();
}

void Shard::save_with_next_batch(Session& session) {
  if (session.state_dirty) return;
  session.state_dirty = true;
  dirty_sessions_.push_back(session.handle);
  if (dirty_sessions_.size() >= kMostWaitingStates) announce_states();
}

void Shard::announce_states() {
  if (!std::exchange(states_announced_, true)) sink_->durable_change_waits();
}

void Shard::on_batch_closing() {
  states_announced_ = false;
  for (const std::string& client_id : forgotten_sessions_) {
    // A new session of the same client may have been saved since; it is saved below.
    sink_->make_durable(SessionGone{client_id});
  }
  forgotten_sessions_.clear();
  for (const Session::Handle handle : std::exchange(dirty_sessions_, {})) {
    Session* session = sessions_.find(handle);
    if (session == nullptr) continue;
    session->state_dirty = false;
    if (session->persistent()) {
      const SessionKept kept = durable_form_of(*session);
      session->state_saved = true;
      session->state_held_something |= !kept.is_bare();
      sink_->make_durable(kept);
    } else if (std::exchange(session->state_saved, false)) {
      sink_->make_durable(SessionGone{session->client_id});
    }
  }
}

SessionKept Shard::durable_form_of(const Session& session) {
  durable_subscriptions_.clear();
  for (const RoutedFilter* filter : session.subscriptions) {
    const Subscription subscription =
        *std::ranges::find(filter->subscriptions(), session.slot(), &Subscription::subscriber);
    durable_subscriptions_.push_back(
        {filter->text(), subscription.options(), subscription.identifier()});
  }
  durable_packet_ids_.clear();
  if (session.inbound) {
    session.inbound->for_each_durable(
        [this](mqtt::PacketId id) { durable_packet_ids_.push_back(id.value()); });
  }
  return {session.client_id, session.expiry_seconds, durable_subscriptions_, durable_packet_ids_};
}

void Shard::restore_session(const StoredSession& stored) {
  assert_home();
  if (home_of(stored.client_id) != id_) return;
  Session& session = make_session(stored.client_id);
  session.state_saved = true;
  session.state_held_something = true;
  if (stored.unknown_form) {
    log::warning("the stored session of client \"{}\" is of an unknown form and is dropped",
                 stored.client_id);
    end_session(session);
    return;
  }
  session.expiry_seconds = stored.expiry_seconds;
  for (const StoredSession::Subscription& each : stored.subscriptions) {
    add_subscription(session, each.filter, {session.slot(), each.options, each.identifier});
  }
  for (const std::uint16_t id : stored.packet_ids) {
    session.inbound_flows().restore(mqtt::PacketId{id});
  }
  client_is_away(session);
}

}  // namespace hub::broker
