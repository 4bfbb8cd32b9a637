#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/value.h"
#include "rules/payload/payload_paths.h"

namespace hub::rules {

// Deeper payloads are refused, so that no one's stack is at risk (PostgreSQL's neither).
inline constexpr std::size_t kMaxJsonDepth = 512;

// One value that the scanner found at a place of its PayloadPaths.
struct Field {
  enum class Form : std::uint8_t {
    plain,          // `value` is complete
    escaped,        // a string with escapes: `raw` is yet to be unescaped
    number_too_big  // a number beyond the range of a double: only `raw` has it
  };
  Value value;           // objects and arrays as Kind::json
  std::string_view raw;  // as it stands in the text; a string with its quotes
  std::uint32_t epoch = 0;
  Form form = Form::plain;
};

// What PostgreSQL's jsonb cannot store although it is valid JSON.
enum class JsonUnfit : std::uint8_t {
  nothing,
  nul_escape,         // \u0000
  lone_surrogate,     // \ud800 without its other half
  numeric_too_large,  // 1e200000
};

// Checks a whole text against RFC 8259 and picks the values at the places of a PayloadPaths, in
// one pass, without copying. Nothing is half read: when scan() is true the text is one complete,
// valid JSON value in valid UTF-8.
//
// The texts of one kind of device name the same members in the same order: what stood where a name
// stands now is tried first, and found again by a comparison of 24 bytes.
//
// Of members with the same name the last one counts, as in jsonb. Integers that fit 64 bits become
// Kind::integer, all other numbers Kind::number.
//
// It is here because a library's parser would be the second pass: simdjson's on-demand parser does
// not check what it is not asked for, and its DOM keeps neither the text of a value nor numbers
// beyond 64 bits. bench/micro/rules_bench.cpp measures the three side by side.
class JsonScanner {
 public:
  // `paths` outlives the scanner and does not change under it.
  explicit JsonScanner(const PayloadPaths& paths);

  // kPayloadPadding bytes past the end of `text` must be readable. Fields borrow from `text`.
  [[nodiscard]] bool scan(std::string_view text);

  // After scan() was false: what is wrong, for a person, and at which byte.
  [[nodiscard]] const char* error() const { return error_; }
  [[nodiscard]] std::size_t error_offset() const { return error_offset_; }

  // After scan() was true. Null when the text has nothing at that place.
  [[nodiscard]] const Field* field(std::uint32_t slot) const {
    const Field& field = fields_[slot];
    return field.epoch == epoch_ ? &field : nullptr;
  }
  // Whether the text, anywhere, has something that jsonb cannot store.
  [[nodiscard]] JsonUnfit unfit() const { return unfit_; }

 private:
  struct Cursor;
  struct Number;
  struct Frame {
    const char* begin;
    std::uint32_t slot;
    std::uint32_t elements;  // of an array: how many have begun
    bool is_object;
  };
  // A name of a member as the last text had it, from its first quote to the colon.
  struct SeenName {
    static constexpr std::size_t kWords = 3;
    std::array<std::uint64_t, kWords> bytes;  // zero-padded
    std::array<std::uint64_t, kWords> mask;
    std::uint32_t size;  // 0: it cannot be tried
    std::uint32_t object;
    std::uint32_t member;
  };

  bool fail(const char* error, const char* at);
  bool finish(Cursor in);
  bool open(Cursor& in, std::uint32_t slot, bool is_object);
  bool scalar(Cursor& in, std::uint32_t slot);
  bool string(Cursor& in, std::string_view& inside, bool& escaped);
  const char* escape(const char* at, const char* end);
  bool number(Cursor& in, std::uint32_t slot);
  bool digits(Cursor& in, Number& number);
  bool exponent(Cursor& in, Number& number);
  void set_number(Field& field, const Number& number);
  bool literal(Cursor& in, std::string_view word, Value value, std::uint32_t slot);
  bool member(Cursor& in, std::uint32_t& slot);
  void see_name(std::size_t number, std::uint32_t object, std::uint32_t member,
                std::string_view name);
  std::uint32_t escaped_member(std::uint32_t slot, std::string_view inside);
  Field& start_field(std::uint32_t slot, const char* begin);
  void forget(std::uint32_t slot);

  const PayloadPaths& paths_;
  std::vector<Field> fields_;
  std::uint32_t epoch_ = 0;
  std::size_t depth_ = 0;
  JsonUnfit unfit_ = JsonUnfit::nothing;
  const char* error_ = nullptr;
  std::size_t error_offset_ = 0;
  const char* text_ = nullptr;
  std::string unescaped_key_;
  std::array<Frame, kMaxJsonDepth> frames_;
  std::array<SeenName, 32> seen_names_;  // by their numbers in the text; those below seen_ are set
  std::size_t seen_ = 0;
  std::size_t names_ = 0;  // of this text, so far
};

}  // namespace hub::rules
