#include "broker/session/session_state.h"

#include <algorithm>
#include <boost/endian/conversion.hpp>
#include <optional>

#include "base/topic.h"

namespace hub::broker {
namespace {

constexpr std::uint8_t kForm = 1;

template <class T>
void put(std::string& out, T value) {
  boost::endian::native_to_big_inplace(value);
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// Reads from the front of what is left; `ok` turns false, and stays so, when too little is left.
struct Reader {
  std::string_view left;
  bool ok = true;

  template <class T>
  T number() {
    const std::string_view bytes = text(sizeof(T));
    return bytes.empty() ? T{}
                         : boost::endian::endian_load<T, sizeof(T), boost::endian::order::big>(
                               reinterpret_cast<const unsigned char*>(bytes.data()));
  }
  std::string_view text(std::size_t bytes) {
    if (left.size() < bytes) {
      ok = false;
      return {};
    }
    const std::string_view out = left.substr(0, bytes);
    left.remove_prefix(bytes);
    return out;
  }
};

std::uint8_t pack(const SubscriptionOptions& options) {
  return static_cast<std::uint8_t>(static_cast<unsigned>(options.qos) |
                                   unsigned{options.no_local} << 2 |
                                   unsigned{options.retain_as_published} << 3 |
                                   static_cast<unsigned>(options.retain_handling) << 4);
}

std::optional<SubscriptionOptions> unpack(std::uint8_t bits) {
  if ((bits & 3) == 3 || (bits >> 4) > 2) return std::nullopt;
  return SubscriptionOptions{static_cast<Qos>(bits & 3), (bits & 4) != 0, (bits & 8) != 0,
                                   static_cast<RetainHandling>(bits >> 4)};
}

}  // namespace

std::string encode_session_state(const Session& session) {
  if (!session.persistent()) return {};
  std::string ids;
  if (session.inbound) {
    session.inbound->for_each_durable([&](mqtt::PacketId id) { put(ids, id.value()); });
  }
  std::string out;
  put(out, kForm);
  put(out, session.expiry_seconds);
  put(out, static_cast<std::uint32_t>(session.subscriptions.size()));
  for (const RoutedFilter* filter : session.subscriptions) {
    const Subscription subscription =
        *std::ranges::find(filter->subscriptions(), session.slot(), &Subscription::subscriber);
    put(out, subscription.identifier());
    put(out, pack(subscription.options()));
    put(out, static_cast<std::uint16_t>(filter->text().size()));
    out.append(filter->text());
  }
  put(out, static_cast<std::uint32_t>(ids.size() / sizeof(std::uint16_t)));
  out.append(ids);
  return out;
}

bool decode_session_state(std::string_view state, Session& session, const Resubscribe& subscribe) {
  Reader in{state};
  if (in.number<std::uint8_t>() != kForm) return false;
  session.expiry_seconds = in.number<std::uint32_t>();
  for (auto left = in.number<std::uint32_t>(); left > 0 && in.ok; --left) {
    const auto id = in.number<std::uint32_t>();
    const auto options = unpack(in.number<std::uint8_t>());
    const std::string_view filter = in.text(in.number<std::uint16_t>());
    if (!options || id > Subscription::kMaxIdentifier || !is_valid_topic_filter(filter))
      return false;
    subscribe(filter, *options, id);
  }
  for (auto left = in.number<std::uint32_t>(); left > 0 && in.ok; --left) {
    const auto id = mqtt::PacketId::from_wire(in.number<std::uint16_t>());
    if (!id) return false;
    session.inbound_flows().restore(*id);
  }
  return in.ok && in.left.empty() && session.persistent();
}

}  // namespace hub::broker
