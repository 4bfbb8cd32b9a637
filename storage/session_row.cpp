#include "storage/session_row.h"

#include <algorithm>
#include <cassert>

#include "base/topic.h"

namespace hub::storage {
namespace {

constexpr std::uint8_t kForm = 1;
constexpr std::size_t kLeastSubscriptionBytes = 7;

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

// Reads from the front of what is left; `ok` turns false, and stays so, when too little is left.
struct RowReader {
  std::string_view left;
  bool ok = true;

  template <class Integer>
  Integer number() {
    Integer value{};
    for (const char byte : text(sizeof(Integer))) {
      value = static_cast<Integer>(std::uint64_t{value} << 8 | static_cast<unsigned char>(byte));
    }
    return value;
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

// False when it is none. The count may be anything, so no room is made for more than can be there.
bool read_subscriptions(RowReader& in, std::vector<StoredSession::Subscription>& out) {
  auto count = in.number<std::uint32_t>();
  out.reserve(std::min<std::size_t>(count, in.left.size() / kLeastSubscriptionBytes));
  for (; count > 0 && in.ok; --count) {
    const auto identifier = in.number<std::uint32_t>();
    const auto options = unpack(in.number<std::uint8_t>());
    const std::string_view filter = in.text(in.number<std::uint16_t>());
    if (!options || identifier > DurableSubscription::kMaxIdentifier ||
        !is_valid_topic_filter(filter)) {
      return false;
    }
    out.push_back({std::string(filter), *options, identifier});
  }
  return in.ok;
}

bool read_packet_ids(RowReader& in, std::vector<std::uint16_t>& out) {
  auto count = in.number<std::uint32_t>();
  out.reserve(std::min<std::size_t>(count, in.left.size() / sizeof(std::uint16_t)));
  for (; count > 0 && in.ok; --count) {
    const auto id = in.number<std::uint16_t>();
    if (id == 0) return false;
    out.push_back(id);
  }
  return in.ok;
}

}  // namespace

void append_session_row(ByteBuffer& out, const SessionKept& session) {
  assert(session.expiry_seconds != 0);
  out.put(kForm);
  out.put(session.expiry_seconds);
  out.put(static_cast<std::uint32_t>(session.subscriptions.size()));
  for (const DurableSubscription& subscription : session.subscriptions) {
    assert(subscription.filter.size() <= 0xFFFF);
    out.put(subscription.identifier);
    out.put(pack(subscription.options));
    out.put(static_cast<std::uint16_t>(subscription.filter.size()));
    out.append(subscription.filter);
  }
  out.put(static_cast<std::uint32_t>(session.packet_ids.size()));
  for (const std::uint16_t id : session.packet_ids) out.put(id);
}

std::optional<StoredSession> read_session_row(std::string_view client_id, std::string_view row) {
  RowReader in{row};
  if (in.number<std::uint8_t>() != kForm) return std::nullopt;
  StoredSession out;
  out.client_id = client_id;
  out.expiry_seconds = in.number<std::uint32_t>();
  if (out.expiry_seconds == 0 || !read_subscriptions(in, out.subscriptions) ||
      !read_packet_ids(in, out.packet_ids) || !in.left.empty()) {
    return std::nullopt;
  }
  return out;
}

}  // namespace hub::storage
