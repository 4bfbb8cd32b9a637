#include "rules/payload/json_scanner.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <limits>
#include <random>
#include <string>
#include <vector>

#include "base/message.h"
#include "rules/payload/json_text.h"

namespace hub::rules {
namespace {

// A text followed by bytes that would mislead whoever takes them for JSON.
struct Padded {
  explicit Padded(std::string_view text) : bytes(text), size(text.size()) {
    bytes += std::string(kPayloadPadding / 2, '9') + std::string(kPayloadPadding / 2, '"');
  }
  [[nodiscard]] std::string_view text() const { return std::string_view(bytes).substr(0, size); }

  std::string bytes;
  std::size_t size;
};

bool is_valid(std::string_view json) {
  const PayloadPaths nothing;
  JsonScanner scanner(nothing);
  const Padded padded(json);
  return scanner.scan(padded.text());
}

TEST(JsonScanner, TakesWhatRfc8259Allows) {
  for (const std::string_view json :
       {"1",           "-0",           "0.5",
        "1e5",         "1E+5",         "-1.25e-3",
        "true",        "false",        "null",
        "\"\"",        "\"a\\u00e9\"", "[]",
        "{}",          "[[],{}]",      " { \"a\" : [ 1 , 2 ] } \r\n\t",
        "{\"\":1}",    "[1e400]",      "123456789012345678901234567890",
        "\"\\ud800\"", "\"\x7f\"",     "{\"a\":1,\"a\":2}"}) {
    EXPECT_TRUE(is_valid(json)) << json;
  }
}

TEST(JsonScanner, RefusesEverythingElse) {
  for (const std::string_view json : {"",
                                      " ",
                                      "01",
                                      "-",
                                      "+1",
                                      "1.",
                                      ".5",
                                      "1e",
                                      "1e+",
                                      "0x1",
                                      "tru",
                                      "truee",
                                      "nul",
                                      "True",
                                      "\"",
                                      "\"a",
                                      "\"\\\"",
                                      "\"\\x\"",
                                      "\"\\u12\"",
                                      "\"\\u12g4\"",
                                      "\"a\nb\"",
                                      "[",
                                      "]",
                                      "[1",
                                      "[1,",
                                      "[1,]",
                                      "[,1]",
                                      "[1 2]",
                                      "{",
                                      "}",
                                      "{\"a\"",
                                      "{\"a\":",
                                      "{\"a\":1",
                                      "{\"a\":1,",
                                      "{\"a\":1,}",
                                      "{,}",
                                      "{\"a\" 1}",
                                      "{a:1}",
                                      "{1:1}",
                                      "{\"a\":1,,\"b\":2}",
                                      "[1]]",
                                      "1 2",
                                      "{}x",
                                      "[}",
                                      "{]",
                                      "/**/1",
                                      "'a'",
                                      "NaN",
                                      "\xef\xbb\xbf"
                                      "1",
                                      "\"\x80\"",
                                      "\"\xc3\"",
                                      "\"\xed\xa0\x80\"",
                                      "\"\xf5\x80\x80\x80\""}) {
    EXPECT_FALSE(is_valid(json)) << json;
  }
  EXPECT_FALSE(is_valid(std::string_view("1\0", 2)));
  EXPECT_FALSE(is_valid(std::string_view("\"\0\"", 3)));
}

TEST(JsonScanner, BoundsTheDepth) {
  const std::string deep = std::string(kMaxJsonDepth, '[') + std::string(kMaxJsonDepth, ']');
  EXPECT_TRUE(is_valid(deep));
  EXPECT_FALSE(is_valid("[" + deep + "]"));
  EXPECT_FALSE(is_valid(std::string(100'000, '[')));
}

// Strings of every length around the scanner's words of eight bytes, cut off and whole.
TEST(JsonScanner, FindsTheEndOfStringsOfEveryLength) {
  PayloadPaths paths;
  const std::uint32_t slot = paths.add({{"k", 0}});
  JsonScanner scanner(paths);
  for (std::size_t length = 0; length < 40; ++length) {
    const std::string text(length, 'x');
    const Padded whole("{\"k\":\"" + text + "\"}");
    ASSERT_TRUE(scanner.scan(whole.text())) << length;
    EXPECT_EQ(scanner.field(slot)->value.as_text(), text);
    const Padded cut("\"" + text);
    EXPECT_FALSE(scanner.scan(cut.text())) << length;
  }
}

TEST(JsonScanner, FindsKeysOfEveryLength) {
  PayloadPaths paths;
  std::vector<std::uint32_t> slots;
  std::string json = "{";
  for (std::size_t length = 1; length < 40; ++length) {
    for (const char c : {'a', 'b'}) {
      const std::string key(length, c);
      slots.push_back(paths.add({{key, 0}}));
      json += "\"" + key + "\":" + std::to_string(slots.size() - 1) + ",";
    }
  }
  json += "\"no such path\":0}";
  JsonScanner scanner(paths);
  const Padded padded(json);
  ASSERT_TRUE(scanner.scan(padded.text()));
  for (std::size_t i = 0; i < slots.size(); ++i) {
    ASSERT_NE(scanner.field(slots[i]), nullptr) << i;
    EXPECT_EQ(scanner.field(slots[i])->value.as_integer(), static_cast<std::int64_t>(i));
  }
}

class JsonNumbers : public ::testing::Test {
 protected:
  const Field& number(std::string_view json) {
    padded_ = std::make_unique<Padded>(json);
    EXPECT_TRUE(scanner_.scan(padded_->text())) << json;
    return *scanner_.field(PayloadPaths::kRoot);
  }

 private:
  PayloadPaths paths_;
  JsonScanner scanner_{paths_};
  std::unique_ptr<Padded> padded_;
};

TEST_F(JsonNumbers, AreIntegersWhenTheyFit64Bits) {
  for (const std::int64_t value :
       {std::int64_t{0}, std::int64_t{-1}, std::int64_t{999'999'999'999'999'999},
        std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min()}) {
    const Field& field = number(std::to_string(value));
    ASSERT_EQ(field.value.kind(), Value::Kind::integer) << value;
    EXPECT_EQ(field.value.as_integer(), value);
  }
  EXPECT_EQ(number("9223372036854775808").value.kind(), Value::Kind::number);
  EXPECT_EQ(number("9223372036854775808").value.as_number(), 0x1p63);
  EXPECT_EQ(number("1.0").value.kind(), Value::Kind::number);
  EXPECT_EQ(number("1e2").value.as_number(), 100.0);
}

TEST_F(JsonNumbers, AreTheNearestDouble) {
  for (const char* text :
       {"0.1", "21.53", "-40.25", "1e22", "1e23", "1e-22", "1e-23", "9007199254740993.0",
        "123456789.123456789", "2.2250738585072014e-308", "4.9e-324", "1.7976931348623157e308",
        "0.30000000000000004", "1000000000000000000000.0", "123456789012345678901234567890"}) {
    EXPECT_EQ(number(text).value.as_number(), std::strtod(text, nullptr)) << text;
  }
  EXPECT_EQ(number("1e-400").value.as_number(), 0.0);
  EXPECT_EQ(number("1e-400").form, Field::Form::plain);
  EXPECT_EQ(number("1e400").form, Field::Form::number_too_big);
  EXPECT_EQ(number("-1e400").form, Field::Form::number_too_big);
}

TEST(JsonScanner, SaysWhatJsonbCannotStore) {
  const auto unfit = [](std::string_view json) {
    const Padded padded(json);
    return unfit_for_jsonb(padded.text());
  };
  EXPECT_EQ(unfit("[\"\\u0041\", 1e300, \"\\ud83d\\ude00\"]"), JsonUnfit::nothing);
  EXPECT_EQ(unfit("[\"\\u0000\"]"), JsonUnfit::nul_escape);
  EXPECT_EQ(unfit("{\"\\u0000\":1}"), JsonUnfit::nul_escape);
  EXPECT_EQ(unfit("\"\\ud83d\""), JsonUnfit::lone_surrogate);
  EXPECT_EQ(unfit("\"\\ude00\\ud83d\""), JsonUnfit::lone_surrogate);
  EXPECT_EQ(unfit("\"\\ud83dx\\ude00\""), JsonUnfit::lone_surrogate);
  EXPECT_EQ(unfit("1e131072"), JsonUnfit::numeric_too_large);
  EXPECT_EQ(unfit("1e-16384"), JsonUnfit::numeric_too_large);
  EXPECT_EQ(unfit("1e99999999999999999999"), JsonUnfit::numeric_too_large);
}

// simdjson is the reference: it refuses more (numbers beyond 64 bits and doubles, half surrogate
// pairs), and nothing that the scanner refuses may pass there.
TEST(JsonScanner, AgreesWithSimdjsonOnMutilatedText) {
  const std::string original =
      R"({"a": [1, -2.5e3, true, null, {"b": "x\"\\\u00e9"}], "c": "é€", "d": {}, "e": [] })";
  std::mt19937 random(1);
  simdjson::dom::parser parser;
  int both_valid = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string text = original;
    for (unsigned changes = 1 + random() % 2; changes > 0; --changes) {
      const std::size_t at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text.erase(at, 1 + random() % 3);
          break;
        case 1:
          text.insert(at, 1, "{}[],:\"\\ 0-e.tn\x80\x1f"[random() % 17]);
          break;
        default:
          text[at] = text[random() % text.size()];
      }
      if (text.empty()) text = "1";
    }
    const bool ours = is_valid(text);
    const bool theirs = parser.parse(text).error() == simdjson::SUCCESS;
    ASSERT_TRUE(ours || !theirs) << text;
    if (ours && !theirs) {
      const auto error = parser.parse(text).error();
      EXPECT_TRUE(error == simdjson::NUMBER_ERROR || error == simdjson::STRING_ERROR) << text;
    }
    both_valid += ours && theirs ? 1 : 0;
  }
  EXPECT_GT(both_valid, 100);
}

// What one scanner says of texts that follow each other must be what a new one says of each.
TEST(JsonScanner, WhatTheLastTextNamedChangesNoAnswer) {
  PayloadPaths paths;
  const std::string long_name = "a name that is longer than what is compared at once";
  for (const Path& path : {Path{{"a", 0}}, Path{{"b", 0}}, Path{{"b", 0}, {"a", 0}},
                           Path{{"temperature", 0}}, Path{{long_name, 0}}})
    paths.add(path);
  std::string many = "{";
  for (int i = 0; i < 40; ++i) many += "\"m" + std::to_string(i) + "\":" + std::to_string(i) + ",";
  many += "\"a\":1}";
  const std::vector<std::string> texts{R"({"a":1,"b":2,"temperature":3})",
                                       R"({"b":1,"a":2,"temperature":3})",
                                       R"({"a":1,"b":{"a":2},"temperature":3})",
                                       R"({"b":{"a":1,"b":2},"a":3})",
                                       R"({"x":{"a":1,"b":2},"a":3})",
                                       R"({"a" : 1, "b": 2})",
                                       R"({"a":1,"a":2,"a":3})",
                                       R"({"temperature":1)",
                                       R"({"temperature":)",
                                       R"({"temperature")",
                                       R"({"temperatur)",
                                       R"({"temperaturf":1})",
                                       R"({"temperature2":1})",
                                       R"({"\u0061":1,"b":2})",
                                       R"({})",
                                       R"([{"a":1}])",
                                       "{\"" + long_name + "\":1}",
                                       many,
                                       "{\"\xc3\xa9\":1}",
                                       "{\"\xc3\":1}",
                                       "{\"\xff\":1}",
                                       "",
                                       std::string("{\0\0\0\0", 5)};
  JsonScanner kept(paths);
  std::mt19937 random(1);
  const Padded* before = nullptr;
  std::vector<Padded> padded(texts.begin(), texts.end());
  for (int round = 0; round < 20'000; ++round) {
    const Padded& text = padded[random() % padded.size()];
    JsonScanner fresh(paths);
    const bool valid = fresh.scan(text.text());
    ASSERT_EQ(kept.scan(text.text()), valid)
        << text.text() << (before ? " after " + before->bytes : "");
    before = &text;
    if (!valid) continue;
    for (std::uint32_t slot = 0; slot < paths.slots(); ++slot) {
      const Field* const expected = fresh.field(slot);
      const Field* const found = kept.field(slot);
      ASSERT_EQ(found == nullptr, expected == nullptr) << text.text() << ", slot " << slot;
      if (found != nullptr) EXPECT_EQ(found->raw, expected->raw) << text.text();
    }
  }
}

}  // namespace
}  // namespace hub::rules
