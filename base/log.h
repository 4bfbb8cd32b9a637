#pragma once

#include <fmt/core.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

// The program's log: one line of text per event, on standard error.
//
//   2026-01-31T12:00:00.123Z info postgres is ready
//
// Safe on any thread. A line is written before the call returns, so nothing is lost when the
// program dies; it is not for the path of a message. Bytes that a client chose may be passed as
// they are: control characters are escaped, so that they cannot forge a line. Passwords and
// payloads are never passed.
namespace hub::log {

enum class Level : std::uint8_t { debug, info, warning, error, off };

// "debug", "info", "warning", "error" or "off"; nothing for any other text.
[[nodiscard]] std::optional<Level> parse_level(std::string_view text) noexcept;
[[nodiscard]] std::string_view to_string(Level level) noexcept;

// Lines below this level are not written. At the start: info.
void set_level(Level level) noexcept;
[[nodiscard]] bool enabled(Level level) noexcept;

// Writes one line as it is; the templates below are what one calls.
void write(Level level, std::string_view text);

// `text` with each control character written as \n, \t or \x1b.
[[nodiscard]] std::string escape_control_characters(std::string_view text);

// For trouble that one client can cause as often as it likes: lets `lines` lines through per
// `interval` and counts the rest; the next line that passes says how many were left out.
// One object per kind of trouble, usually a static; safe on any thread.
class Throttle {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Throttle(std::uint32_t lines = 10,
                    Clock::duration interval = std::chrono::seconds(10)) noexcept
      : lines_(lines), interval_(interval) {}

  // How many lines were left out before this one, when this one may pass.
  [[nodiscard]] std::optional<std::uint64_t> admit(Clock::time_point now) noexcept;

 private:
  const std::uint32_t lines_;
  const Clock::duration interval_;
  std::atomic<Clock::rep> interval_start_{Clock::time_point::min().time_since_epoch().count()};
  std::atomic<std::uint32_t> passed_{0};
  std::atomic<std::uint64_t> left_out_{0};
};

template <class... Args>
void line(Level level, fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(level)) write(level, fmt::format(format, std::forward<Args>(args)...));
}

template <class... Args>
void line(Throttle& throttle, Level level, fmt::format_string<Args...> format, Args&&... args) {
  if (!enabled(level)) return;
  const auto left_out = throttle.admit(Throttle::Clock::now());
  if (!left_out) return;
  auto text = fmt::format(format, std::forward<Args>(args)...);
  if (*left_out > 0) text += fmt::format(" ({} such lines before it were left out)", *left_out);
  write(level, text);
}

template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  line(Level::debug, format, std::forward<Args>(args)...);
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  line(Level::info, format, std::forward<Args>(args)...);
}
template <class... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  line(Level::warning, format, std::forward<Args>(args)...);
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  line(Level::error, format, std::forward<Args>(args)...);
}

}  // namespace hub::log
