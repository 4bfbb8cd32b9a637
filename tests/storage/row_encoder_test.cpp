#include "storage/row_encoder.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace hub::storage {
namespace {

using namespace std::string_literals;

Column column(ColumnType type, std::string type_name) {
  Column out;
  out.name = "c";
  out.type = type;
  out.type_name = std::move(type_name);
  return out;
}

// The bytes of the one field, in hexadecimal, after its length; the problem's sentence in brackets.
std::string encoded(const Column& c, const Value& value) {
  const RowEncoder encoder({c});
  ByteBuffer out;
  out.append("before");
  if (const auto problem = encoder.append(std::span(&value, 1), out)) {
    EXPECT_EQ(out.view(), "before");
    return "[" + *problem + "]";
  }
  const std::string_view bytes = out.view().substr(6);
  EXPECT_EQ(bytes.substr(0, 2), "\0\1"s);
  const std::int32_t length = ByteBuffer::load_int32(bytes.data() + 2);
  if (length == -1) return "NULL";
  EXPECT_EQ(bytes.size(), 6u + static_cast<std::size_t>(length));
  constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (const char byte : bytes.substr(6)) {
    text += kHex[static_cast<unsigned char>(byte) >> 4];
    text += kHex[static_cast<unsigned char>(byte) & 15];
  }
  return text;
}

const Column kInt2 = column(ColumnType::int2, "smallint");
const Column kInt4 = column(ColumnType::int4, "integer");
const Column kInt8 = column(ColumnType::int8, "bigint");
const Column kReal = column(ColumnType::float4, "real");
const Column kDouble = column(ColumnType::float8, "double precision");
const Column kNumeric = column(ColumnType::numeric, "numeric");
const Column kText = column(ColumnType::text, "text");
const Column kJsonb = column(ColumnType::jsonb, "jsonb");
const Column kJson = column(ColumnType::json, "json");
const Column kTimestamptz = column(ColumnType::timestamptz, "timestamp with time zone");
const Column kTimestamp = column(ColumnType::timestamp, "timestamp without time zone");
const Column kDate = column(ColumnType::date, "date");

TEST(RowEncoder, WritesTheCountThenEachField) {
  const RowEncoder encoder({kInt2, kText, kInt4});
  const Value values[] = {Value::integer(1), Value::text("ab"), Value::null()};
  ByteBuffer out;
  ASSERT_FALSE(encoder.append(values, out));
  EXPECT_EQ(out.view(),
            "\0\3"
            "\0\0\0\2\0\1"
            "\0\0\0\2ab"
            "\377\377\377\377"s);
}

TEST(RowEncoder, RefusesNullWhereTheColumnDoes) {
  Column c = kInt4;
  c.not_null = true;
  EXPECT_EQ(encoded(c, Value::null()),
            "[column \"c\" (integer) cannot take NULL: the column is NOT NULL]");
}

TEST(RowEncoder, LeavesTheBufferWhenALaterFieldFails) {
  const RowEncoder encoder({kText, kInt2});
  const Value values[] = {Value::text("a long enough text"), Value::text("no")};
  ByteBuffer out;
  EXPECT_EQ(encoder.append(values, out),
            "column \"c\" (smallint) cannot take 'no': not a value of that type");
  EXPECT_TRUE(out.empty());
}

TEST(RowEncoderBoolean, TakesOnlyBooleans) {
  const Column c = column(ColumnType::boolean, "boolean");
  EXPECT_EQ(encoded(c, Value::boolean(true)), "01");
  EXPECT_EQ(encoded(c, Value::boolean(false)), "00");
  EXPECT_EQ(encoded(c, Value::integer(1)),
            "[column \"c\" (boolean) cannot take 1: not a value of that type]");
}

TEST(RowEncoderInteger, KeepsToTheRange) {
  EXPECT_EQ(encoded(kInt2, Value::integer(32767)), "7fff");
  EXPECT_EQ(encoded(kInt2, Value::integer(-32768)), "8000");
  EXPECT_EQ(encoded(kInt2, Value::integer(32768)),
            "[column \"c\" (smallint) cannot take 32768: out of range]");
  EXPECT_EQ(encoded(kInt4, Value::integer(-1)), "ffffffff");
  EXPECT_EQ(encoded(kInt4, Value::integer(2147483648)),
            "[column \"c\" (integer) cannot take 2147483648: out of range]");
  EXPECT_EQ(encoded(kInt8, Value::integer(std::numeric_limits<std::int64_t>::min())),
            "8000000000000000");
}

TEST(RowEncoderInteger, TakesNumbersWithoutAFraction) {
  EXPECT_EQ(encoded(kInt4, Value::number(21.0)), "00000015");
  EXPECT_EQ(encoded(kInt4, Value::number(-0.0)), "00000000");
  EXPECT_EQ(encoded(kInt4, Value::number(21.5)),
            "[column \"c\" (integer) cannot take 21.5: it has a fraction]");
  EXPECT_EQ(encoded(kInt8, Value::number(0x1p63)),
            "[column \"c\" (bigint) cannot take 9223372036854775808: out of range]");
  EXPECT_EQ(encoded(kInt8, Value::number(-0x1p63)), "8000000000000000");
  EXPECT_EQ(encoded(kInt8, Value::number(std::numeric_limits<double>::quiet_NaN())),
            "[column \"c\" (bigint) cannot take nan: not a value of that type]");
  EXPECT_EQ(encoded(kInt8, Value::text("1")),
            "[column \"c\" (bigint) cannot take '1': not a value of that type]");
}

TEST(RowEncoderFloat, WritesIeee754) {
  EXPECT_EQ(encoded(kDouble, Value::number(21.5)), "4035800000000000");
  EXPECT_EQ(encoded(kDouble, Value::integer(-2)), "c000000000000000");
  EXPECT_EQ(encoded(kReal, Value::number(21.5)), "41ac0000");
  EXPECT_EQ(encoded(kReal, Value::number(1e39)),
            "[column \"c\" (real) cannot take 1e+39: out of range]");
  EXPECT_EQ(encoded(kReal, Value::number(std::numeric_limits<double>::infinity())), "7f800000");
  EXPECT_EQ(encoded(kDouble, Value::boolean(true)),
            "[column \"c\" (double precision) cannot take true: not a value of that type]");
}

TEST(RowEncoderNumeric, WritesGroupsOfFourDigits) {
  EXPECT_EQ(encoded(kNumeric, Value::integer(0)), "0000000000000000");
  EXPECT_EQ(encoded(kNumeric, Value::integer(12345678)), "000200010000000004d2162e");
  EXPECT_EQ(encoded(kNumeric, Value::integer(10000)), "00010001000000000001");
  EXPECT_EQ(encoded(kNumeric, Value::number(-21.5)),
            "00020000400000010015"
            "1388");
  EXPECT_EQ(encoded(kNumeric, Value::number(0.0001)), "0001ffff000000040001");
  EXPECT_EQ(encoded(kNumeric, Value::text("1e4")), "00010001000000000001");
  EXPECT_EQ(encoded(kNumeric, Value::text("-0.00")), "0000000000000002");
}

TEST(RowEncoderNumeric, RoundsToTheScaleAndKeepsToThePrecision) {
  Column c = column(ColumnType::numeric, "numeric(5,2)");
  c.numeric_precision = 5;
  c.numeric_scale = 2;
  EXPECT_EQ(encoded(c, Value::number(1.005)),
            "00020000000000020001"
            "0064");
  EXPECT_EQ(encoded(c, Value::text("999.994")),
            "000200000000000203e7"
            "26ac");
  EXPECT_EQ(encoded(c, Value::text("999.995")),
            "[column \"c\" (numeric(5,2)) cannot take '999.995': out of range]");
  EXPECT_EQ(encoded(c, Value::integer(1000)),
            "[column \"c\" (numeric(5,2)) cannot take 1000: out of range]");
  EXPECT_EQ(encoded(c, Value::text("0.004")), "0000000000000002");
  EXPECT_EQ(encoded(c, Value::text("0.005")), "0001ffff000000020064");
}

TEST(RowEncoderNumeric, RefusesWhatIsNoDecimal) {
  for (const char* text :
       {"", "-", ".", "1.2.3", "1e", "e5", "0x10", "1 ", "NaN", "1e+-5", "--1"}) {
    EXPECT_EQ(encoded(kNumeric, Value::text(text)),
              "[column \"c\" (numeric) cannot take '"s + text + "': not a decimal number]");
  }
  EXPECT_EQ(encoded(kNumeric, Value::number(std::numeric_limits<double>::infinity())),
            "[column \"c\" (numeric) cannot take inf: not a finite number]");
  EXPECT_EQ(encoded(kNumeric, Value::text("1e200000")),
            "[column \"c\" (numeric) cannot take '1e200000': out of range]");
  EXPECT_EQ(encoded(kNumeric, Value::text("1e-99999999999999999999")),
            "[column \"c\" (numeric) cannot take '1e-99999999999999999999': out of range]");
}

TEST(RowEncoderText, TakesEveryScalarAsText) {
  EXPECT_EQ(encoded(kText, Value::text("é")), "c3a9");
  EXPECT_EQ(encoded(kText, Value::text("")), "");
  EXPECT_EQ(encoded(kText, Value::integer(-7)), "2d37");
  EXPECT_EQ(encoded(kText, Value::number(0.1)), "302e31");
  EXPECT_EQ(encoded(kText, Value::boolean(true)), "74727565");
  EXPECT_EQ(encoded(kText, Value::json("[1]")), "5b315d");
}

TEST(RowEncoderText, RefusesNulAndBadUtf8) {
  EXPECT_EQ(encoded(kText, Value::text("a\0b"s)),
            "[column \"c\" (text) cannot take a text of 3 bytes: it has a NUL character]");
  EXPECT_EQ(encoded(kText, Value::text("\xed\xa0\x80")),
            "[column \"c\" (text) cannot take a text of 3 bytes: not valid UTF-8]");
}

TEST(RowEncoderText, CountsCharactersNotBytes) {
  Column c = column(ColumnType::text, "character varying(3)");
  c.max_characters = 3;
  EXPECT_EQ(encoded(c, Value::text("äöü")), "c3a4c3b6c3bc");
  EXPECT_EQ(encoded(c, Value::text("äöüx")),
            "[column \"c\" (character varying(3)) cannot take 'äöüx': too long]");
  EXPECT_EQ(encoded(c, Value::text("abc  ")), "6162632020");
  EXPECT_EQ(encoded(c, Value::integer(1234)),
            "[column \"c\" (character varying(3)) cannot take 1234: too long]");
}

TEST(RowEncoderText, ShowsTheBeginningOfALongText) {
  Column c = column(ColumnType::text, "character varying(3)");
  c.max_characters = 3;
  EXPECT_EQ(encoded(c, Value::text(std::string(39, 'x') + "éééé")),
            "[column \"c\" (character varying(3)) cannot take '" + std::string(39, 'x') +
                "…': too long]");
}

TEST(RowEncoderJson, PassesJsonOnAsItIs) {
  EXPECT_EQ(encoded(kJsonb, Value::json("{\"a\":1}")), "017b2261223a317d");
  EXPECT_EQ(encoded(kJson, Value::json("{}")), "7b7d");
}

TEST(RowEncoderJson, MakesScalarsOfTheOtherKinds) {
  EXPECT_EQ(encoded(kJsonb, Value::integer(5)), "0135");
  EXPECT_EQ(encoded(kJsonb, Value::number(1.5)), "01312e35");
  EXPECT_EQ(encoded(kJsonb, Value::boolean(false)), "0166616c7365");
  EXPECT_EQ(encoded(kJson, Value::text("a\"\\\n")),
            "22615c225c5c5c75303030"
            "6122");
}

TEST(RowEncoderJson, FindsWhatJsonbCannotHold) {
  const auto problem = [](std::string_view json) {
    const std::string text = encoded(kJsonb, Value::json(json));
    return text[0] != '[' ? "" : text.substr(text.rfind(": ") + 2);
  };
  EXPECT_EQ(problem(R"("\u0000")"), "has the character \\u0000, which jsonb cannot hold]");
  constexpr auto kHalf = "has half a surrogate pair, which jsonb cannot hold]";
  EXPECT_EQ(problem(R"("\ud83d")"), kHalf);
  EXPECT_EQ(problem(R"("\ud83dx\ude00")"), kHalf);
  EXPECT_EQ(problem(R"("\ud83d\n")"), kHalf);
  EXPECT_EQ(problem(R"("\ude00")"), kHalf);
  EXPECT_EQ(problem(R"("\ud83d\ud83d\ude00")"), kHalf);
  EXPECT_EQ(problem(R"("\ud83d\ude00")"), "");
  EXPECT_EQ(problem(R"("\\u0000 \\ud83d")"), "");
  EXPECT_EQ(problem("[1e999999]"), "has a number past the range of numeric]");
  EXPECT_EQ(problem("[1E-999999]"), "has a number past the range of numeric]");
  EXPECT_EQ(problem("[1e000012]"), "");
  EXPECT_EQ(problem(R"({"device12345": 1, "\"e99999": 2})"), "");
}

TEST(RowEncoderTime, TakesMillisecondsAndRfc3339) {
  EXPECT_EQ(encoded(kTimestamptz, Value::integer(946684800000)), "0000000000000000");
  EXPECT_EQ(encoded(kTimestamptz, Value::integer(946684799999)), "fffffffffffffc18");
  EXPECT_EQ(encoded(kTimestamptz, Value::number(946684800000.5)), "00000000000001f4");
  EXPECT_EQ(encoded(kTimestamptz, Value::text("2000-01-01T01:00:00+01:00")), "0000000000000000");
  EXPECT_EQ(encoded(kTimestamp, Value::text("2000-01-01T00:00:01")), "00000000000f4240");
  EXPECT_EQ(encoded(kDate, Value::text("2000-01-02")), "00000001");
  EXPECT_EQ(encoded(kDate, Value::integer(946684799999)), "ffffffff");
}

TEST(RowEncoderTime, SaysWhatIsMissing) {
  EXPECT_EQ(encoded(kTimestamptz, Value::text("2000-01-01T00:00:00")),
            "[column \"c\" (timestamp with time zone) cannot take '2000-01-01T00:00:00': it has no "
            "UTC offset]");
  EXPECT_EQ(encoded(kTimestamp, Value::text("2000-01-01")),
            "[column \"c\" (timestamp without time zone) cannot take '2000-01-01': it has no time "
            "of day]");
  EXPECT_EQ(encoded(kTimestamptz, Value::text("infinity")),
            "[column \"c\" (timestamp with time zone) cannot take 'infinity': not a time as RFC "
            "3339 writes it]");
  EXPECT_EQ(encoded(kDate, Value::integer(std::numeric_limits<std::int64_t>::max())),
            "[column \"c\" (date) cannot take 9223372036854775807: out of range]");
}

TEST(RowEncoderUuid, TakesBothForms) {
  const Column c = column(ColumnType::uuid, "uuid");
  constexpr auto kBytes = "00112233445566778899aabbccddeeff";
  EXPECT_EQ(encoded(c, Value::text("00112233-4455-6677-8899-aabbccddeeFF")), kBytes);
  EXPECT_EQ(encoded(c, Value::text("00112233445566778899aabbccddeeff")), kBytes);
  for (const char* text :
       {"", "00112233-4455-6677-8899-aabbccddeef", "0011223344556677-8899-aabbccddeeff00",
        "00112233-4455-6677-8899-aabbccddeeg0"}) {
    EXPECT_NE(encoded(c, Value::text(text)).find("not a UUID]"), std::string::npos) << text;
  }
}

TEST(RowEncoderBytea, TakesTheBytesOfText) {
  const Column c = column(ColumnType::bytea, "bytea");
  EXPECT_EQ(encoded(c, Value::text("a\0\xff"s)), "6100ff");
  EXPECT_EQ(encoded(c, Value::integer(1)),
            "[column \"c\" (bytea) cannot take 1: not a value of that type]");
}

TEST(RowEncoderOther, IsRefused) {
  EXPECT_EQ(encoded(column(ColumnType::other, "point"), Value::text("(1,2)")),
            "[column \"c\" (point) cannot take '(1,2)': no rule can write this type]");
}

}  // namespace
}  // namespace hub::storage
