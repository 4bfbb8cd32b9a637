#include "broker/session/packet_handler.h"

#include <algorithm>

#include "base/log.h"
#include "broker/mqtt/disconnect_codec.h"

namespace hub::broker {
namespace {

log::Throttle client_trouble;

}  // namespace

using mqtt::PacketType;
using mqtt::ReasonCode;
using Will = SessionLifecycle::Will;

PacketHandler::PacketHandler(const SessionOptions& options, SessionCounters& counters,
                             const TurnTime& time, ClientEffects& clients, RoutingEffects& routing,
                             ShardEffects& shard, const SessionLifecycle::Home& home)
    : context_{.options = options,
               .counters = counters,
               .time = time,
               .clients = clients,
               .routing = routing,
               .shard = shard,
               .sessions = sessions_},
      lifecycle_(context_, durable_, sender_, home) {}

std::size_t PacketHandler::on_bytes(Channel& channel, std::string_view bytes) {
  channel.last_received = context_.time.steady;
  std::size_t at = 0;
  while (channel.stage != Channel::Stage::closing) {
    const std::string_view rest = bytes.substr(at);
    const mqtt::FrameHeader frame =
        mqtt::peek_frame(rest, context_.options.max_packet_bytes, channel.version);
    if (frame.state == mqtt::FrameState::need_more) {
      if (has_to_wait(channel, frame, rest)) context_.clients.wait_for_room(channel);
      return at;
    }
    if (frame.state != mqtt::FrameState::complete) {
      fail(channel, frame.error());
      return bytes.size();
    }
    input_ = rest;
    const Handled handled =
        handle(channel, frame, rest.substr(frame.header_bytes, frame.body_bytes));
    if (!handled) {
      fail(channel, handled.error());
      return bytes.size();
    }
    switch (*handled) {
      case Progress::next:
        at += frame.packet_bytes();
        break;
      case Progress::wait:
        return at + frame.packet_bytes();
      case Progress::park:
        return at;
      case Progress::close:
        close(channel, Will::publish);
        return bytes.size();
      case Progress::stop:
        return bytes.size();
    }
  }
  return bytes.size();
}

bool PacketHandler::has_to_wait(const Channel& channel, const mqtt::FrameHeader& frame,
                                std::string_view bytes) const {
  return channel.stage == Channel::Stage::open && frame.header_bytes > 0 &&
         frame.type == PacketType::publish &&
         receiver_.will_have_to_wait(channel, frame, bytes.substr(frame.header_bytes));
}

std::size_t PacketHandler::readable_bytes(const Channel& channel, std::string_view unread,
                                          std::size_t otherwise) const {
  const mqtt::FrameHeader frame =
      mqtt::peek_frame(unread, context_.options.max_packet_bytes, channel.version);
  if (has_to_wait(channel, frame, unread)) return 0;
  if (frame.packet_bytes() <= unread.size()) return otherwise;
  const std::size_t lacking = frame.packet_bytes() - unread.size();
  // Whether it has to wait is only known once its topic is there.
  const bool is_known = frame.type != PacketType::publish ||
                        mqtt::publish_qos(frame.flags) == Qos::at_most_once ||
                        mqtt::peek_publish_topic(unread.substr(frame.header_bytes)).has_value();
  return is_known ? lacking : std::min(lacking, otherwise);
}

Handled PacketHandler::handle(Channel& channel, const mqtt::FrameHeader& frame,
                              std::string_view body) {
  ++context_.counters.packets_received;
  if (channel.stage == Channel::Stage::awaiting_connect) {
    if (frame.type == PacketType::connect) return lifecycle_.on_connect(channel, body);
    ++context_.counters.protocol_errors;
    channel.stage = Channel::Stage::closing;
    context_.clients.drop(channel);  // [MQTT-3.1.0-1]
    return Progress::stop;
  }
  const auto refuse = [](const char* what) {
    return mqtt::DecodeError{ReasonCode::protocol_error, 0, what};
  };
  switch (frame.type) {
    case PacketType::publish:
      return receiver_.on_publish(channel, frame, body);
    case PacketType::puback:
    case PacketType::pubrec:
    case PacketType::pubrel:
    case PacketType::pubcomp:
      return handle_ack(channel, frame.type, body);
    case PacketType::subscribe:
      return subscriptions_.on_subscribe(channel, body);
    case PacketType::unsubscribe:
      return subscriptions_.on_unsubscribe(channel, body);
    case PacketType::pingreq:
      if (const auto ping = mqtt::decode_pingreq(body); !ping) return ping.error();
      mqtt::append_pingresp(context_.clients.output(channel));
      return Progress::next;
    case PacketType::disconnect:
      return lifecycle_.on_disconnect(channel, body);
    case PacketType::connect:
      return refuse("a second CONNECT [MQTT-3.1.0-2]");
    case PacketType::auth:
      // CONNECT named no authentication method, so there is nothing to go on with.
      return refuse("AUTH without a method (section 4.12)");
    case PacketType::connack:
    case PacketType::suback:
    case PacketType::unsuback:
    case PacketType::pingresp:
      break;
  }
  return refuse("a packet that only a server sends");
}

Handled PacketHandler::handle_ack(Channel& channel, PacketType type, std::string_view body) {
  const auto ack = mqtt::decode_ack(channel.version, type, body);
  if (!ack) return ack.error();
  if (type == PacketType::pubrel) {
    receiver_.on_pubrel(*channel.session, *ack);
  } else {
    sender_.on_ack(*channel.session, type, *ack);
  }
  return Progress::next;
}

// The client broke the standard: says why as its version allows, and closes.
void PacketHandler::fail(Channel& channel, const mqtt::DecodeError& error) {
  ++(error.reason == ReasonCode::malformed_packet ? context_.counters.malformed_packets
                                                  : context_.counters.protocol_errors);
  log::line(client_trouble, log::Level::info, "closing {} (client id \"{}\"): {}: {}",
            context_.clients.peer(channel),
            channel.session != nullptr ? channel.session->client_id : "", mqtt::name(error.reason),
            error.what);
  if (channel.stage == Channel::Stage::awaiting_connect) {
    channel.stage = Channel::Stage::closing;
    context_.clients.drop(channel);
    return;
  }
  mqtt::append_disconnect(context_.clients.output(channel), channel.version, error.reason,
                          channel.problem_information ? error.what : std::string_view{});
  close(channel, Will::publish);
}

void PacketHandler::close(Channel& channel, Will will) {
  lifecycle_.detach(channel, will);
  channel.stage = Channel::Stage::closing;
  context_.clients.close(channel);
}

void PacketHandler::disconnect(Channel& channel, ReasonCode reason) {
  mqtt::append_disconnect(context_.clients.output(channel), channel.version, reason);
  close(channel, Will::publish);
}

void PacketHandler::on_output_sent(Channel& channel) {
  Session* const session = channel.session;
  if (session != nullptr && session->outbound && session->outbound->waiting()) {
    sender_.send_waiting(*session);
  }
}

void PacketHandler::on_keep_alive(Channel& channel, bool read) {
  if (lifecycle_.on_keep_alive(channel, read) == Progress::close) close(channel, Will::publish);
}

bool PacketHandler::is_wanted(ShardEffects::Wake why, Session::Handle handle, SteadyTime at) const {
  const Session* session = sessions_.find(handle);
  if (session == nullptr || session->channel != nullptr) return false;
  return why == ShardEffects::Wake::will ? session->will != nullptr && at == session->will_due
                                         : at == session->expires_at;
}

void PacketHandler::deliver_retained(Session::Handle handle, RoutedMessage& message,
                                     const DeliveryTerms& terms) {
  if (Session* session = sessions_.find(handle)) sender_.deliver(*session, message, terms);
}

void PacketHandler::on_durable(const AckToken& token) {
  if (token.owed == AckToken::Owed::session_gone) {
    durable_.on_gone();
    return;
  }
  Session* session = sessions_.find(token.session);
  if (session == nullptr) return;  // ended meanwhile: nobody waits any more
  if (token.owed == AckToken::Owed::connack) {
    lifecycle_.on_connack_due(*session);
  } else {
    receiver_.on_durable(*session, token);
  }
}

}  // namespace hub::broker
