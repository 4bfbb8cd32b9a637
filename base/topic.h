#pragma once

#include <string_view>

namespace hub {

inline constexpr std::size_t kMaxTopicBytes = 65'535;

// Well-formed UTF-8 without U+0000 (MQTT 5.0 section 1.5.4).
[[nodiscard]] bool is_valid_utf8_string(std::string_view text) noexcept;

// A topic name: 1 to 65,535 bytes of UTF-8 without U+0000, '+' or '#' (MQTT 5.0 section 4.7).
[[nodiscard]] bool is_valid_topic_name(std::string_view name) noexcept;

// A topic filter: as a name, but '+' may fill a level and '#' the last one [MQTT-4.7.1-1].
[[nodiscard]] bool is_valid_topic_filter(std::string_view filter) noexcept;

// Whether a valid filter matches a valid name. A name that begins with '$' is not matched by a
// filter that begins with a wildcard [MQTT-4.7.2-1].
[[nodiscard]] bool topic_matches(std::string_view filter, std::string_view name) noexcept;

}  // namespace hub
