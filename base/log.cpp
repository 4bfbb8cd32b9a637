#include "base/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <memory>

namespace hub::log {
namespace {

constexpr std::array<std::string_view, 5> kNames{"debug", "info", "warning", "error", "off"};

std::atomic<Level> least_level{Level::info};

spdlog::level::level_enum to_spdlog(Level level) {
  constexpr std::array kLevels{spdlog::level::debug, spdlog::level::info, spdlog::level::warn,
                               spdlog::level::err, spdlog::level::off};
  return kLevels.at(static_cast<std::size_t>(level));
}

// Never destroyed: a thread may log while the program's statics go.
spdlog::logger& logger() {
  static auto& instance = []() -> spdlog::logger& {
    auto* made = new spdlog::logger("", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_formatter(std::make_unique<spdlog::pattern_formatter>(
        "%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc));
    made->set_level(spdlog::level::trace);
    made->flush_on(spdlog::level::trace);
    return *made;
  }();
  return instance;
}

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

}  // namespace

std::optional<Level> parse_level(std::string_view text) noexcept {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == text) return static_cast<Level>(i);
  }
  return std::nullopt;
}

std::string_view to_string(Level level) noexcept { return kNames[static_cast<std::size_t>(level)]; }

void set_level(Level level) noexcept { least_level.store(level, std::memory_order_relaxed); }

bool enabled(Level level) noexcept {
  return level >= least_level.load(std::memory_order_relaxed) && level != Level::off;
}

std::string escape_control_characters(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (!is_control(c)) {
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

void write(Level level, std::string_view text) {
  for (const char c : text) {
    if (is_control(c)) {
      logger().log(to_spdlog(level), escape_control_characters(text));
      return;
    }
  }
  logger().log(to_spdlog(level), text);
}

std::optional<std::uint64_t> Throttle::admit(Clock::time_point now) noexcept {
  const auto now_count = now.time_since_epoch().count();
  auto start = interval_start_.load(std::memory_order_relaxed);
  const bool over = start == Clock::time_point::min().time_since_epoch().count() ||
                    now_count - start >= interval_.count();
  if (over && interval_start_.compare_exchange_strong(start, now_count)) {
    passed_.store(0, std::memory_order_relaxed);
  }
  if (passed_.fetch_add(1, std::memory_order_relaxed) < lines_) {
    return left_out_.exchange(0, std::memory_order_relaxed);
  }
  left_out_.fetch_add(1, std::memory_order_relaxed);
  return std::nullopt;
}

}  // namespace hub::log
