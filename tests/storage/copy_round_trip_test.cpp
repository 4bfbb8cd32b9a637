// What is written by binary COPY, and by the arrays of a keyed insert, is what PostgreSQL reads.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "storage/catalogue.h"
#include "tests/storage/writer_harness.h"

namespace hub::storage {
namespace {

struct Case {
  const char* type;  // of the column
  Value value;
  const char* stored;  // as PostgreSQL prints it
};

constexpr double kInfinity = std::numeric_limits<double>::infinity();

const Case kCases[] = {
    {"boolean", Value::boolean(true), "t"},
    {"smallint", Value::integer(-32768), "-32768"},
    {"smallint", Value::number(32767), "32767"},
    {"integer", Value::integer(2147483647), "2147483647"},
    {"bigint", Value::integer(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808"},
    {"bigint", Value::integer(std::numeric_limits<std::int64_t>::max()), "9223372036854775807"},
    {"real", Value::number(3.4028234e38), "3.4028235e+38"},
    {"real", Value::number(-0.1), "-0.1"},
    {"double precision", Value::number(0.1), "0.1"},
    {"double precision", Value::number(5e-324), "5e-324"},
    {"double precision", Value::number(-kInfinity), "-Infinity"},
    {"double precision", Value::integer(9007199254740993), "9.007199254740992e+15"},
    {"numeric", Value::integer(0), "0"},
    {"numeric", Value::integer(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808"},
    {"numeric", Value::integer(10000), "10000"},
    {"numeric", Value::integer(99999999), "99999999"},
    {"numeric", Value::number(0.1), "0.1"},
    {"numeric", Value::number(-123456.789), "-123456.789"},
    {"numeric", Value::number(1e-7), "0.0000001"},
    {"numeric", Value::number(1e22), "10000000000000000000000"},
    {"numeric", Value::text("+00012.3400"), "12.3400"},
    {"numeric", Value::text("12345678901234567890.000000000000000000001"),
     "12345678901234567890.000000000000000000001"},
    {"numeric", Value::text(".5e-3"), "0.0005"},
    {"numeric", Value::text("-0"), "0"},
    {"numeric(6,2)", Value::number(1234.565), "1234.57"},
    {"numeric(6,2)", Value::number(-9999.994), "-9999.99"},
    {"numeric(6,2)", Value::integer(7), "7.00"},
    {"numeric(6,2)", Value::number(0.005), "0.01"},
    {"numeric(6,2)", Value::number(0.004), "0.00"},
    {"numeric(3,0)", Value::number(999.4), "999"},
    {"numeric(3,0)", Value::number(0.5), "1"},
    {"numeric(2,5)", Value::text("0.00099"), "0.00099"},
    {"text", Value::text("grüße 🌡"), "grüße 🌡"},
    {"text", Value::text(""), ""},
    {"text", Value::number(1e300), "1e+300"},
    {"character varying(3)", Value::text("äöü  "), "äöü"},
    {"character(5)", Value::text("äö"), "äö   "},
    {"jsonb", Value::json(R"({"b": [1, 2.50, null], "a": "\ud83d\ude00"})"),
     R"({"a": "😀", "b": [1, 2.50, null]})"},
    {"jsonb", Value::text("say \"hi\"\\\t\x01"), R"("say \"hi\"\\\t\u0001")"},
    {"jsonb", Value::number(0.25), "0.25"},
    {"jsonb", Value::number(1e300),
     "100000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
     "0"
     "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
     "000"
     "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
     "000"
     "000000000000000"},
    {"json", Value::json(R"({"b": 1,  "a": 2})"), R"({"b": 1,  "a": 2})"},
    {"timestamp with time zone", Value::integer(0), "1970-01-01 00:00:00+00"},
    {"timestamp with time zone", Value::integer(1'700'000'000'123), "2023-11-14 22:13:20.123+00"},
    {"timestamp with time zone", Value::text("2024-02-29T23:59:59.1234565+05:30"),
     "2024-02-29 18:29:59.123457+00"},
    {"timestamp with time zone", Value::text("0001-01-01T00:00:00Z"), "0001-01-01 00:00:00+00"},
    {"timestamp with time zone", Value::integer(-210'866'803'200'000), "4714-11-24 00:00:00+00 BC"},
    {"timestamp with time zone", Value::integer(9'224'318'015'999'999),
     "294276-12-31 23:59:59.999+00"},
    {"timestamp without time zone", Value::text("2024-02-29 12:00:00"), "2024-02-29 12:00:00"},
    {"timestamp without time zone", Value::text("2024-02-29T12:00:00+02:00"),
     "2024-02-29 10:00:00"},
    {"date", Value::text("2024-02-29"), "2024-02-29"},
    {"date", Value::integer(-1), "1969-12-31"},
    {"uuid", Value::text("A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"),
     "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
    {"bytea", Value::text("\x01z"), "\\x017a"},
};

// A table with a column for each case; the order of the values is theirs.
std::string columns_sql() {
  std::string out;
  for (std::size_t i = 0; i < std::size(kCases); ++i) {
    out += fmt::format(", c{} {}", i, kCases[i].type);
  }
  return out;
}

class CopyRoundTrip : public testing::TestWithParam<const char*> {};

TEST_P(CopyRoundTrip, StoresEachValueAsItIs) {
  const std::string_view way = GetParam();
  WriterHarness h;
  if (way == "copy") h.copy_always();
  h.database().query(fmt::format("ALTER DATABASE {} SET timezone = 'UTC'", h.database().name()));
  h.database().query("SET timezone = 'UTC'");
  h.database().query("CREATE TABLE t (id bigint PRIMARY KEY" + columns_sql() + ")");
  const auto schema = PgCatalogue(h.database().url()).table("t");
  ASSERT_TRUE(schema);
  std::vector<std::string> key;
  if (way == "ignore" || way == "update") key.emplace_back("id");
  const auto target = make_target("t", schema->columns, key,
                                  way == "update" ? OnConflict::update : OnConflict::ignore);
  std::vector<Value> values = {Value::integer(1)};
  for (const Case& c : kCases) values.push_back(c.value);
  ASSERT_EQ(h.writer().append(target, values, {}), std::nullopt);
  if (!key.empty()) {  // and a repeat of the key
    ASSERT_EQ(h.writer().append(target, values, {}), std::nullopt);
  }
  values.assign(values.size(), Value::null());
  values[0] = Value::integer(2);
  ASSERT_EQ(h.writer().append(target, values, {}), std::nullopt);
  h.run_until_idle();
  ASSERT_EQ(h.outcomes["t"].committed, 2u)
      << h.database().query("SELECT detail FROM iothub.dead_letter");
  EXPECT_EQ(h.outcomes["t"].duplicates, key.size());
  for (std::size_t i = 0; i < std::size(kCases); ++i) {
    EXPECT_EQ(h.database().query(fmt::format("SELECT c{} FROM t WHERE id = 1", i)),
              kCases[i].stored)
        << kCases[i].type;
    EXPECT_EQ(h.database().query(fmt::format("SELECT c{} FROM t WHERE id = 2", i)), "NULL");
  }
}

INSTANTIATE_TEST_SUITE_P(By, CopyRoundTrip, testing::Values("copy", "array", "ignore", "update"),
                         [](const auto& p) { return std::string(p.param); });

}  // namespace
}  // namespace hub::storage
