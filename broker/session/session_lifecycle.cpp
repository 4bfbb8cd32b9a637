#include "broker/session/session_lifecycle.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "base/log.h"
#include "broker/mqtt/disconnect_codec.h"
#include "broker/mqtt/publish_codec.h"
#include "broker/session/publish_receiver.h"

namespace hub::broker {

using mqtt::ProtocolVersion;
using mqtt::ReasonCode;

std::uint32_t SessionLifecycle::home_of(std::string_view client_id) const {
  return static_cast<std::uint32_t>(std::hash<std::string_view>{}(client_id) % home_.shard_count);
}

// One that hashes to this shard, so that its session is found here when it comes back.
std::string SessionLifecycle::assign_client_id() {
  for (;;) {
    std::string id = fmt::format("hub-{:08x}-{}-{}", home_.hub_start, home_.shard, ++assigned_ids_);
    if (home_of(id) == home_.shard) return id;
  }
}

void SessionLifecycle::refuse(Channel& channel, const mqtt::ConnectError& error) {
  using Answer = mqtt::ConnectError::Answer;
  ++(error.reason == ReasonCode::malformed_packet ? context_.counters.malformed_packets
                                                  : context_.counters.protocol_errors);
  log::debug("refusing {}: {}: {}", context_.clients.peer(channel), mqtt::name(error.reason),
             error.what);
  if (error.answer == Answer::close) {
    context_.clients.drop(channel);
    return;
  }
  mqtt::Connack refusal;
  refusal.reason = error.reason;
  mqtt::append_connack(
      context_.clients.output(channel),
      error.answer == Answer::connack_v5 ? ProtocolVersion::v5 : ProtocolVersion::v311, refusal);
  channel.stage = Channel::Stage::closing;
  context_.clients.close(channel);
}

Progress SessionLifecycle::on_connect(Channel& channel, std::string_view body) {
  using Answer = mqtt::ConnectError::Answer;
  const auto connect = mqtt::decode_connect(body);
  if (!connect) {
    refuse(channel, connect.error());
    return Progress::stop;
  }
  const auto refuse_with = [&](ReasonCode reason, const char* what) {
    refuse(channel,
           {{reason, 0, what},
            connect->version == ProtocolVersion::v5 ? Answer::connack_v5 : Answer::connack_v311});
    return Progress::stop;
  };
  if (connect->authentication_method) {
    return refuse_with(ReasonCode::bad_authentication_method,
                       "enhanced authentication is not on offer");
  }
  if (connect->will && PublishReceiver::is_own_topic(connect->will->topic)) {
    return refuse_with(ReasonCode::topic_name_invalid, "a will below $SYS");
  }
  if (connect->client_id.size() > context_.options.max_client_id_bytes) {
    ++context_.counters.connections_refused;
    return refuse_with(ReasonCode::client_identifier_not_valid, "a client id that is too long");
  }
  std::string assigned;
  std::string_view client_id = connect->client_id;
  if (client_id.empty()) client_id = assigned = assign_client_id();

  if (const std::uint32_t shard = home_of(client_id); shard != home_.shard) {
    context_.clients.hand_over(channel, shard);
    return Progress::stop;
  }
  if (context_.sessions.size() >= context_.options.max_sessions &&
      context_.sessions.find(client_id) == nullptr) {
    ++context_.counters.connections_refused;
    return refuse_with(ReasonCode::server_busy, "as many sessions as the configuration allows");
  }
  open(channel, *connect, client_id);
  if (!durable_.is_being_forgotten(channel.session->client_id)) return Progress::next;
  // Were the hub to die now, the packet ids of the former session would come back and swallow
  // messages of this one: the client may go on once they are gone for good.
  context_.clients.keep_output(channel);
  ++channel.session->unacknowledged;
  context_.shard.acknowledge_after_commit(
      {.session = channel.session->handle, .owed = AckToken::Owed::connack});
  return Progress::wait;
}

void SessionLifecycle::on_connack_due(Session& session) {
  --session.unacknowledged;
  if (session.channel != nullptr) context_.clients.release_output(*session.channel);
}

void SessionLifecycle::open(Channel& channel, const mqtt::ConnectView& connect,
                            std::string_view client_id) {
  const std::string kept_client_id{client_id};  // the session that it may be borrowed from ends
  Session* session = context_.sessions.find(client_id);
  if (session != nullptr) {
    // One that ends with its connection ends with this one's coming, too [MQTT-3.1.2-6].
    const bool ends = connect.clean_start || !session->persistent();
    take_over(*session, ends);
    if (ends) {
      end(*session);
      session = nullptr;
    }
  }
  const bool session_present = session != nullptr;
  if (session == nullptr) session = &context_.sessions.make(kept_client_id);

  const auto expiry_max = static_cast<std::uint32_t>(context_.options.session_expiry_max.count());
  session->channel = &channel;
  session->username = connect.username.value_or("");
  if (context_.meter != nullptr) context_.meter->device(session->client_id, session->metered_on);
  durable_.change_expiry(*session, std::min(connect.session_expiry, expiry_max));
  // Whoever has an acknowledgement finds the session again: it goes with the first batch that is
  // closed anyhow.
  if (!session_present && session->persistent()) durable_.mark_for_next_batch(*session);
  set_will(*session, connect);
  const std::uint16_t quota = std::min(connect.receive_maximum, context_.options.max_inflight);
  session->send_quota = quota;
  if (session->outbound) session->outbound->set_send_quota(quota);
  agree(channel, *session, connect, session_present);
  sender_.resume(channel, *session);
}

void SessionLifecycle::set_will(Session& session, const mqtt::ConnectView& connect) {
  session.will.reset();
  if (!connect.will) return;
  MessageView will;
  will.topic = connect.will->topic;
  will.payload = connect.will->payload;
  will.client_id = session.client_id;
  will.username = session.username;
  will.qos = connect.will->qos;
  will.retain = connect.will->retain;
  will_properties_.clear();
  mqtt::append_forwarded_properties(will_properties_, connect.will->properties);
  session.will = Message::make(will, will_properties_);
  session.will_expiry_seconds = connect.will->message_expiry;
  session.will_delay_seconds = static_cast<std::uint32_t>(connect.will->delay.count());
}

// What the connection goes by from now on, and the CONNACK that says so.
void SessionLifecycle::agree(Channel& channel, Session& session, const mqtt::ConnectView& connect,
                             bool session_present) {
  channel.stage = Channel::Stage::open;
  channel.version = connect.version;
  channel.session = &session;
  channel.keep_alive_seconds = static_cast<std::uint16_t>(connect.keep_alive.count());
  channel.max_packet_to_client = connect.maximum_packet_size;
  channel.problem_information = connect.request_problem_information;
  if (channel.keep_alive_seconds > 0) {
    context_.shard.wake_at(
        context_.time.steady + std::chrono::milliseconds(1'500) * channel.keep_alive_seconds,
        ShardEffects::Wake::keep_alive, channel.handle);
  }
  mqtt::Connack connack;
  connack.session_present = session_present;
  if (session.expiry_seconds != connect.session_expiry) {
    connack.session_expiry = session.expiry_seconds;
  }
  connack.receive_maximum = context_.options.receive_maximum;
  connack.maximum_packet_size = context_.options.max_packet_bytes;
  if (connect.client_id.empty()) connack.assigned_client_id = session.client_id;
  connack.shared_subscriptions_available = false;
  mqtt::append_connack(context_.clients.output(channel), channel.version, connack);
}

// A second connection with the same client id ends the first [MQTT-3.1.4-3].
void SessionLifecycle::take_over(Session& session, bool session_ends) {
  if (Channel* const old = session.channel; old != nullptr) {
    ++context_.counters.sessions_taken_over;
    mqtt::append_disconnect(context_.clients.output(*old), old->version,
                            ReasonCode::session_taken_over);
    old->session = nullptr;
    session.connection_lost();
    old->stage = Channel::Stage::closing;
    context_.clients.close(*old);
  } else if (!session_ends) {
    session.will.reset();  // back before the delay was over [MQTT-3.1.3-9]
  }
  if (session.will && (session_ends || session.will_delay_seconds == 0)) publish_will(session);
}

Handled SessionLifecycle::on_disconnect(Channel& channel, std::string_view body) {
  const auto disconnect = mqtt::decode_disconnect(channel.version, body);
  if (!disconnect) return disconnect.error();
  Session& session = *channel.session;
  if (disconnect->session_expiry) {
    if (session.expiry_seconds == 0 && *disconnect->session_expiry != 0) {
      return mqtt::DecodeError{
          ReasonCode::protocol_error, 0,
          "a session expiry in DISCONNECT where CONNECT had none (section 3.14.2.2.2)"};
    }
    durable_.change_expiry(
        session, std::min(*disconnect->session_expiry,
                          static_cast<std::uint32_t>(context_.options.session_expiry_max.count())));
  }
  const bool with_will = disconnect->reason == ReasonCode::disconnect_with_will_message ||
                         mqtt::is_failure(disconnect->reason);
  detach(channel, with_will ? Will::publish : Will::discard);
  if (context_.clients.unsent_bytes(channel) == 0) {
    context_.clients.drop(channel);  // there is nothing left to say
  } else {
    channel.stage = Channel::Stage::closing;
    context_.clients.close(channel);
  }
  return Progress::stop;
}

void SessionLifecycle::detach(Channel& channel, Will will) {
  Session* const session = std::exchange(channel.session, nullptr);
  if (session == nullptr) return;
  session->connection_lost();
  if (will == Will::discard) session->will.reset();
  client_is_away(*session);
}

Progress SessionLifecycle::on_keep_alive(Channel& channel, bool read) {
  if (channel.keep_alive_seconds == 0) return Progress::next;
  // One and a half times the keep-alive [MQTT-3.1.2-22].
  const auto limit = std::chrono::milliseconds(1'500) * channel.keep_alive_seconds;
  if (!read) channel.last_received = context_.time.steady;
  const SteadyTime due = channel.last_received + limit;
  if (context_.time.steady < due) {
    context_.shard.wake_at(due, ShardEffects::Wake::keep_alive, channel.handle);
    return Progress::next;
  }
  ++context_.counters.keep_alive_timeouts;
  mqtt::append_disconnect(context_.clients.output(channel), channel.version,
                          ReasonCode::keep_alive_timeout);
  return Progress::close;
}

// The connection of a session is gone: the will, and the session itself, have their time from now.
void SessionLifecycle::client_is_away(Session& session) {
  if (session.will && (session.will_delay_seconds == 0 || !session.persistent())) {
    publish_will(session);
  }
  if (!session.persistent()) {
    end(session);
    return;
  }
  const SteadyTime now = context_.time.steady;
  if (session.will) {
    const auto delay =
        std::chrono::seconds{std::min(session.will_delay_seconds, session.expiry_seconds)};
    session.will_due = now + delay;
    context_.shard.wake_at(session.will_due, ShardEffects::Wake::will, session.handle);
  }
  session.expires_at = now + std::chrono::seconds{session.expiry_seconds};
  context_.shard.wake_at(session.expires_at, ShardEffects::Wake::session_expiry, session.handle);
}

void SessionLifecycle::on_wake(ShardEffects::Wake why, Session::Handle handle) {
  Session* session = context_.sessions.find(handle);
  if (session == nullptr || session->channel != nullptr) return;  // the client is back
  if (why == ShardEffects::Wake::will) {
    if (session->will && context_.time.steady >= session->will_due) publish_will(*session);
  } else if (context_.time.steady >= session->expires_at) {
    ++context_.counters.sessions_expired;
    if (session->will) publish_will(*session);
    end(*session);
  }
}

void SessionLifecycle::publish_will(Session& session) {
  const MessageRef will = std::exchange(session.will, nullptr);
  MessageView view = will->view();
  const MessageView fresh = context_.routing.new_message();
  view.id = fresh.id;
  view.received_at = fresh.received_at;
  RoutedMessage message{.view = view, .raw_properties = will->properties()};
  if (session.will_expiry_seconds) {
    message.expires_at = view.received_at + std::chrono::seconds{*session.will_expiry_seconds};
  }
  context_.routing.route(message, context_.routing.destination(view.topic).interest, 0);
}

void SessionLifecycle::end(Session& session) {
  for (const RoutedFilter* filter : session.subscriptions) {
    context_.routing.unsubscribe(*filter, session.slot());
  }
  if (session.outbound) {
    context_.counters.dropped_session_ended +=
        session.outbound->queued() + session.outbound->in_flight();
  }
  durable_.forget(session);
  context_.sessions.erase(session);
}

void SessionLifecycle::restore(const StoredSession& stored) {
  if (home_of(stored.client_id) != home_.shard) return;
  Session& session = context_.sessions.make(stored.client_id);
  session.state_saved = true;
  session.state_held_something = true;
  if (stored.unknown_form) {
    log::warning("the stored session of client \"{}\" is of an unknown form and is dropped",
                 stored.client_id);
    end(session);
    return;
  }
  session.expiry_seconds = stored.expiry_seconds;
  for (const StoredSession::Subscription& subscription : stored.subscriptions) {
    const auto added = context_.routing.subscribe(subscription.filter, session.slot(),
                                                  subscription.options, subscription.identifier);
    if (added.is_new) session.subscriptions.push_back(added.filter);
  }
  for (const std::uint16_t id : stored.packet_ids) session.inbound_flows().restore(PacketId{id});
  client_is_away(session);
}

}  // namespace hub::broker
