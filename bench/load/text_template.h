#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hub::bench {

// What may stand in braces in a topic or a payload.
enum class Field : std::uint8_t {
  literal,      // no field: text as it is
  device,       // {i}      number of the client, from 0
  sequence,     // {n}      number of its message, from 1
  time_ms,      // {ts}     milliseconds since 1970
  temperature,  // {temp}   10.00 to 39.99, a random walk
  humidity,     // {hum}    20.00 to 89.99, a random walk
  voltage,      // {volt}   3.00 to 4.19, a random walk
  stamp,        // {stamp}  36 hexadecimal digits by which a subscriber knows a message: see Stamp
};

// Digits of {ts}: enough until the year 2286.
inline constexpr int kTimeDigits = 13;
// How many bytes a field always takes; 0 for those that differ.
[[nodiscard]] std::size_t width_of(Field field) noexcept;

struct Segment {
  Field field = Field::literal;
  std::string text;  // of a literal
};

// A text with fields in braces. A brace that opens no field name, as JSON has them, stands for
// itself; an unknown name in braces throws std::invalid_argument, which names it and its place.
class TextTemplate {
 public:
  explicit TextTemplate(std::string_view text);

  [[nodiscard]] const std::vector<Segment>& segments() const noexcept { return segments_; }
  [[nodiscard]] bool has(Field field) const noexcept;

  // Where {stamp} begins in every text made from this; throws std::invalid_argument when that
  // differs from text to text, as {i} or {n} stands before it. Empty when there is none.
  [[nodiscard]] std::optional<std::size_t> stamp_offset() const;

  // The text for a client, when {i} is the only field; throws std::invalid_argument otherwise.
  [[nodiscard]] std::string for_client(std::uint32_t client) const;

 private:
  std::vector<Segment> segments_;
};

// What makes a message known to who receives it: written as 8 + 12 + 16 hexadecimal digits.
struct Stamp {
  static constexpr std::size_t kBytes = 36;

  std::uint32_t publisher = 0;
  std::uint64_t sequence = 0;  // from 1 for each publisher; below 2^48
  std::int64_t sent_ns = 0;    // the machine's monotonic clock

  void write(char* at) const noexcept;
  // False when the bytes are not kBytes lower-case hexadecimal digits.
  [[nodiscard]] static bool read(std::string_view bytes, Stamp& stamp) noexcept;
};

}  // namespace hub::bench
