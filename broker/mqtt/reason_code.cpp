#include "broker/mqtt/reason_code.h"

namespace hub::mqtt {

std::string_view name(ReasonCode code) noexcept {
  switch (code) {
    using enum ReasonCode;
    case success:
      return "success";
    case granted_qos_1:
      return "granted_qos_1";
    case granted_qos_2:
      return "granted_qos_2";
    case disconnect_with_will_message:
      return "disconnect_with_will_message";
    case no_matching_subscribers:
      return "no_matching_subscribers";
    case no_subscription_existed:
      return "no_subscription_existed";
    case continue_authentication:
      return "continue_authentication";
    case re_authenticate:
      return "re_authenticate";
    case unspecified_error:
      return "unspecified_error";
    case malformed_packet:
      return "malformed_packet";
    case protocol_error:
      return "protocol_error";
    case implementation_specific_error:
      return "implementation_specific_error";
    case unsupported_protocol_version:
      return "unsupported_protocol_version";
    case client_identifier_not_valid:
      return "client_identifier_not_valid";
    case bad_user_name_or_password:
      return "bad_user_name_or_password";
    case not_authorized:
      return "not_authorized";
    case server_unavailable:
      return "server_unavailable";
    case server_busy:
      return "server_busy";
    case banned:
      return "banned";
    case server_shutting_down:
      return "server_shutting_down";
    case bad_authentication_method:
      return "bad_authentication_method";
    case keep_alive_timeout:
      return "keep_alive_timeout";
    case session_taken_over:
      return "session_taken_over";
    case topic_filter_invalid:
      return "topic_filter_invalid";
    case topic_name_invalid:
      return "topic_name_invalid";
    case packet_identifier_in_use:
      return "packet_identifier_in_use";
    case packet_identifier_not_found:
      return "packet_identifier_not_found";
    case receive_maximum_exceeded:
      return "receive_maximum_exceeded";
    case topic_alias_invalid:
      return "topic_alias_invalid";
    case packet_too_large:
      return "packet_too_large";
    case message_rate_too_high:
      return "message_rate_too_high";
    case quota_exceeded:
      return "quota_exceeded";
    case administrative_action:
      return "administrative_action";
    case payload_format_invalid:
      return "payload_format_invalid";
    case retain_not_supported:
      return "retain_not_supported";
    case qos_not_supported:
      return "qos_not_supported";
    case use_another_server:
      return "use_another_server";
    case server_moved:
      return "server_moved";
    case shared_subscriptions_not_supported:
      return "shared_subscriptions_not_supported";
    case connection_rate_exceeded:
      return "connection_rate_exceeded";
    case maximum_connect_time:
      return "maximum_connect_time";
    case subscription_identifiers_not_supported:
      return "subscription_identifiers_not_supported";
    case wildcard_subscriptions_not_supported:
      return "wildcard_subscriptions_not_supported";
  }
  return "unknown";
}

std::optional<ConnectReturnCode> connect_return_code(ReasonCode code) noexcept {
  switch (code) {
    using enum ReasonCode;
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
