#pragma once

#include <string_view>

namespace hub::broker {

// Takes the levels of a topic name or filter from the front, one by one; there is at least one,
// and a level may be empty (MQTT 5.0 section 4.7.1.1).
class TopicLevels {
 public:
  explicit TopicLevels(std::string_view text) : left_(text) {}

  [[nodiscard]] bool done() const { return done_; }
  // Requires !done().
  std::string_view next() {
    const std::size_t slash = left_.find('/');
    const std::string_view level = left_.substr(0, slash);
    if (slash == std::string_view::npos) {
      done_ = true;
    } else {
      left_.remove_prefix(slash + 1);
    }
    return level;
  }

 private:
  std::string_view left_;
  bool done_ = false;
};

[[nodiscard]] inline bool is_wildcard_level(std::string_view level) {
  return level == "+" || level == "#";
}

// filter: valid.
[[nodiscard]] inline bool has_wildcard(std::string_view filter) {
  return filter.ends_with('#') || filter.find('+') != std::string_view::npos;
}

}  // namespace hub::broker
