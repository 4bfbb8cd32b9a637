#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "broker/session/session.h"

namespace hub::broker {

// What of a session must survive the hub, as the bytes that storage keeps: that it exists, its
// expiry interval, its subscriptions, and the packet ids of QoS 2 messages whose rows have
// committed.
//
//   1 byte   form, 1
//   4 bytes  session expiry interval, seconds
//   4 bytes  number of subscriptions, each: 4 bytes identifier, 1 byte options, 2 bytes length of
//            the filter, the filter
//   4 bytes  number of packet ids, each 2 bytes
// All numbers big-endian.

// Empty when the session ends with its connection.
[[nodiscard]] std::string encode_session_state(const Session& session);
// The state of a session that has neither subscriptions nor packet ids.
inline constexpr std::size_t kBareSessionStateBytes = 13;

// Fills a new session, and gives each of its subscriptions to `subscribe`. False, with the session
// in an unspecified state, for bytes that encode_session_state() does not make.
using Resubscribe = std::function<void(std::string_view filter, SubscriptionOptions options,
                                       std::uint32_t identifier)>;
[[nodiscard]] bool decode_session_state(std::string_view state, Session& session,
                                        const Resubscribe& subscribe);

}  // namespace hub::broker
