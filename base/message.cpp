#include "base/message.h"

#include <fmt/format.h>

namespace hub {

std::string MessageId::to_string() const { return fmt::format("{:016x}{:016x}", high, low); }

MessageRef Message::make(const MessageView& view, std::string_view properties,
                         std::optional<Timestamp> expires_at) {
  return MessageRef{new Message{view, properties, expires_at}};
}

Message::Message(const MessageView& view, std::string_view properties,
                 std::optional<Timestamp> expires_at)
    : view_(view), expires_at_(expires_at) {
  // The payload stands last before the padding, so that it is padded.
  const std::initializer_list<std::string_view> parts = {view.topic, view.client_id, view.username,
                                                         properties, view.payload};
  std::size_t bytes = kPayloadPadding;
  for (const auto part : parts) bytes += part.size();
  text_.reserve(bytes);
  const auto keep = [this](std::string_view part) {
    const std::size_t at = text_.size();
    text_.append(part);
    return std::string_view{text_.data() + at, part.size()};
  };
  view_.topic = keep(view.topic);
  view_.client_id = keep(view.client_id);
  view_.username = keep(view.username);
  properties_ = keep(properties);
  view_.payload = keep(view.payload);
  text_.append(kPayloadPadding, '\0');
}

}  // namespace hub
