#pragma once

#include <cstdint>
#include <string_view>

namespace hub {

// One value that a rule computed for one column. Borrows its text: valid as long as the message
// and the evaluator's scratch that it was computed from, which is until the sink call returns.
class Value {
 public:
  enum class Kind : std::uint8_t {
    null,
    boolean,
    integer,  // 64-bit signed
    number,   // IEEE 754 double; never NaN when it came from JSON
    text,     // UTF-8, unescaped
    json,     // the text of one complete, valid JSON value
  };

  constexpr Value() = default;
  static constexpr Value null() { return {}; }
  static constexpr Value boolean(bool v) {
    Value out{Kind::boolean};
    out.boolean_ = v;
    return out;
  }
  static constexpr Value integer(std::int64_t v) {
    Value out{Kind::integer};
    out.integer_ = v;
    return out;
  }
  static constexpr Value number(double v) {
    Value out{Kind::number};
    out.number_ = v;
    return out;
  }
  static constexpr Value text(std::string_view v) { return Value{Kind::text, v}; }
  static constexpr Value json(std::string_view v) { return Value{Kind::json, v}; }

  [[nodiscard]] constexpr Kind kind() const { return kind_; }
  [[nodiscard]] constexpr bool is_null() const { return kind_ == Kind::null; }

  // Each requires the kind of its name (as_text: text or json).
  [[nodiscard]] constexpr bool as_boolean() const { return boolean_; }
  [[nodiscard]] constexpr std::int64_t as_integer() const { return integer_; }
  [[nodiscard]] constexpr double as_number() const { return number_; }
  [[nodiscard]] constexpr std::string_view as_text() const { return {text_, text_bytes_}; }

 private:
  constexpr explicit Value(Kind kind) : kind_(kind) {}
  constexpr Value(Kind kind, std::string_view text)
      : kind_(kind), text_bytes_(static_cast<std::uint32_t>(text.size())), text_(text.data()) {}

  Kind kind_ = Kind::null;
  std::uint32_t text_bytes_ = 0;
  union {
    bool boolean_;
    std::int64_t integer_ = 0;
    double number_;
    const char* text_;
  };
};
static_assert(sizeof(Value) == 16);

}  // namespace hub
