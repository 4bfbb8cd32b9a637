#include "broker/mqtt/reason_code.h"

#include <array>

namespace hub::mqtt {
namespace {

using enum ReasonCode;

struct Named {
  ReasonCode code;
  std::string_view name;
};

constexpr Named kNamed[] = {
    {success, "success"},
    {granted_qos_1, "granted_qos_1"},
    {granted_qos_2, "granted_qos_2"},
    {disconnect_with_will_message, "disconnect_with_will_message"},
    {no_matching_subscribers, "no_matching_subscribers"},
    {no_subscription_existed, "no_subscription_existed"},
    {continue_authentication, "continue_authentication"},
    {re_authenticate, "re_authenticate"},
    {unspecified_error, "unspecified_error"},
    {malformed_packet, "malformed_packet"},
    {protocol_error, "protocol_error"},
    {implementation_specific_error, "implementation_specific_error"},
    {unsupported_protocol_version, "unsupported_protocol_version"},
    {client_identifier_not_valid, "client_identifier_not_valid"},
    {bad_user_name_or_password, "bad_user_name_or_password"},
    {not_authorized, "not_authorized"},
    {server_unavailable, "server_unavailable"},
    {server_busy, "server_busy"},
    {banned, "banned"},
    {server_shutting_down, "server_shutting_down"},
    {bad_authentication_method, "bad_authentication_method"},
    {keep_alive_timeout, "keep_alive_timeout"},
    {session_taken_over, "session_taken_over"},
    {topic_filter_invalid, "topic_filter_invalid"},
    {topic_name_invalid, "topic_name_invalid"},
    {packet_identifier_in_use, "packet_identifier_in_use"},
    {packet_identifier_not_found, "packet_identifier_not_found"},
    {receive_maximum_exceeded, "receive_maximum_exceeded"},
    {topic_alias_invalid, "topic_alias_invalid"},
    {packet_too_large, "packet_too_large"},
    {message_rate_too_high, "message_rate_too_high"},
    {quota_exceeded, "quota_exceeded"},
    {administrative_action, "administrative_action"},
    {payload_format_invalid, "payload_format_invalid"},
    {retain_not_supported, "retain_not_supported"},
    {qos_not_supported, "qos_not_supported"},
    {use_another_server, "use_another_server"},
    {server_moved, "server_moved"},
    {shared_subscriptions_not_supported, "shared_subscriptions_not_supported"},
    {connection_rate_exceeded, "connection_rate_exceeded"},
    {maximum_connect_time, "maximum_connect_time"},
    {subscription_identifiers_not_supported, "subscription_identifiers_not_supported"},
    {wildcard_subscriptions_not_supported, "wildcard_subscriptions_not_supported"},
};

// By number.
constexpr auto kNames = [] {
  std::array<std::string_view, 256> names;
  names.fill("unknown");
  for (const auto& [code, name] : kNamed) names[static_cast<std::uint8_t>(code)] = name;
  return names;
}();

}  // namespace

std::string_view name(ReasonCode code) noexcept { return kNames[static_cast<std::uint8_t>(code)]; }

std::optional<ConnectReturnCode> connect_return_code(ReasonCode code) noexcept {
  switch (code) {
    case success:
      return ConnectReturnCode::accepted;
    case unsupported_protocol_version:
      return ConnectReturnCode::unacceptable_protocol_version;
    case client_identifier_not_valid:
      return ConnectReturnCode::identifier_rejected;
    case server_unavailable:
    case server_busy:
    case server_shutting_down:
    case quota_exceeded:
    case connection_rate_exceeded:
    case use_another_server:
    case server_moved:
      return ConnectReturnCode::server_unavailable;
    case bad_user_name_or_password:
    case bad_authentication_method:
      return ConnectReturnCode::bad_user_name_or_password;
    case not_authorized:
    case banned:
      return ConnectReturnCode::not_authorized;
    default:
      return std::nullopt;
  }
}

}  // namespace hub::mqtt
