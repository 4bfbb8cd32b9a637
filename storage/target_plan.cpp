#include "storage/target_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <iterator>

#include "storage/sql_text.h"

namespace hub::storage {
namespace {

// PostgreSQL's fixed numbers for a type and its array (pg_type.dat).
struct TypeNumbers {
  Oid element;
  Oid array;
};

TypeNumbers numbers_of(ColumnType type) {
  switch (type) {
    case ColumnType::boolean:
      return {16, 1000};
    case ColumnType::int2:
      return {21, 1005};
    case ColumnType::int4:
      return {23, 1007};
    case ColumnType::int8:
      return {20, 1016};
    case ColumnType::float4:
      return {700, 1021};
    case ColumnType::float8:
      return {701, 1022};
    case ColumnType::numeric:
      return {1700, 1231};
    case ColumnType::jsonb:
      return {3802, 3807};
    case ColumnType::json:
      return {114, 199};
    case ColumnType::timestamptz:
      return {1184, 1185};
    case ColumnType::timestamp:
      return {1114, 1115};
    case ColumnType::date:
      return {1082, 1182};
    case ColumnType::uuid:
      return {2950, 2951};
    case ColumnType::bytea:
      return {17, 1001};
    case ColumnType::text:
    case ColumnType::other:
      break;
  }
  return {25, 1009};
}

constexpr std::size_t kArrayHeaderBytes = 20;
constexpr std::string_view kOrdinal = "iothub_row_number";

template <class Range, class Name>
std::string list(const Range& range, std::string_view separator, Name name) {
  std::string out;
  for (const auto& item : range) {
    if (!out.empty()) out += separator;
    out += name(item);
  }
  return out;
}

}  // namespace

TargetPlan::TargetPlan(RowTargetPtr target)
    : target_(std::move(target)),
      encoder_(target_->columns),
      table_(quote_identifier(target_->schema) + "." + quote_identifier(target_->table)) {
  const auto name = [](const Column& c) { return quote_identifier(c.name); };
  const auto quoted = [](const auto& range, auto text_of) {
    return "ARRAY[" + list(range, ", ", [&](const auto& c) { return quote_literal(text_of(c)); }) +
           "]";
  };
  const std::string table = quote_literal(table_);
  copy_sql_ = fmt::format("COPY {} ({}) FROM STDIN (FORMAT binary)", table_,
                          list(target_->columns, ", ", name));
  check_sql_ = fmt::format("iothub.check_columns({}, {}, {})", table,
                           quoted(target_->columns, [](const Column& c) { return c.name; }),
                           quoted(target_->columns, [](const Column& c) { return c.type_name; }));
  if (keyed()) {
    check_sql_ += fmt::format(", iothub.check_key({}, {})", table,
                              quoted(target_->key, [](const std::string& n) { return n; }));
  }
  insert_sql_ = make_insert_sql();
  for (const Column& column : target_->columns) {
    array_types_.push_back(numbers_of(column.type).array);
  }
}

// COPY gathers rows in up to 1,000 slots to insert them together, and remembers one and the same
// tuple descriptor for each slot in a hash table, whose equal entries are found one after the
// other: the cost of a COPY grows with the square of its first thousand rows. A condition that
// PostgreSQL cannot compute in advance makes it insert row by row, which is cheaper until the
// square is shared by enough rows (measured on PostgreSQL 15: bench/storage/README.md).
std::string TargetPlan::copy_sql(std::size_t rows) const {
  constexpr std::size_t kFewRows = 200;
  constexpr std::size_t kManyRows = 4'000;
  return rows < kFewRows || rows >= kManyRows ? copy_sql_ : copy_sql_ + " WHERE random() >= 0";
}

std::string TargetPlan::make_insert_sql() const {
  const auto& columns = target_->columns;
  const auto quoted = [](const std::string& n) { return quote_identifier(n); };
  const auto name = [](const Column& c) { return quote_identifier(c.name); };
  const std::string names = list(columns, ", ", name);
  const std::string key = list(target_->key, ", ", quoted);
  std::string parameters;
  std::string elements;
  for (std::size_t i = 1; i <= columns.size(); ++i) {
    fmt::format_to(std::back_inserter(parameters), "{}${}", i > 1 ? ", " : "", i);
    fmt::format_to(std::back_inserter(elements), "{}unnest(${})", i > 1 ? ", " : "", i);
  }
  std::vector<Column> others;
  std::copy_if(columns.begin(), columns.end(), std::back_inserter(others), [&](const Column& c) {
    return std::find(target_->key.begin(), target_->key.end(), c.name) == target_->key.end();
  });
  const std::string source =
      fmt::format("unnest({}) WITH ORDINALITY AS r ({}, {})", parameters, names, kOrdinal);

  if (!keyed()) {
    // As values of the SELECT list the arrays are read side by side, in order, with nothing between
    // them and the table; in FROM each would first be stored by itself.
    return fmt::format("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {}", table_, names,
                       elements);
  }
  // In the order of the key, so that two writers lock rows in the same order.
  if (target_->on_conflict == OnConflict::ignore || others.empty()) {
    return fmt::format(
        "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {} ORDER BY {}, {} "
        "ON CONFLICT ({}) DO NOTHING",
        table_, names, names, source, key, kOrdinal, key);
  }
  // The last row of each key wins. A key with a NULL in it is equal to no other.
  const std::string no_key = list(
      target_->key, " OR ", [](const std::string& n) { return quote_identifier(n) + " IS NULL"; });
  const std::string lone = fmt::format("CASE WHEN {} THEN {} END", no_key, kOrdinal);
  const std::string changes = list(others, ", ", [&](const Column& c) {
    return fmt::format("{0} = excluded.{0}", quote_identifier(c.name));
  });
  const std::string same_key = list(target_->key, " AND ", [](const std::string& n) {
    return fmt::format("known.{0} = r.{0}", quote_identifier(n));
  });
  // What is new is counted before, as INSERT does not tell it from what it updates (not by xmax for
  // a partitioned table).
  return fmt::format(
      "WITH r AS MATERIALIZED (SELECT DISTINCT ON ({0}, {1}) {2} FROM {3} ORDER BY {0}, {1}, {4} "
      "DESC), written AS (INSERT INTO {5} ({2}) OVERRIDING SYSTEM VALUE SELECT {2} FROM r "
      "ON CONFLICT ({0}) DO UPDATE SET "
      "{6}) SELECT count(*) FROM r WHERE NOT EXISTS (SELECT FROM {5} AS known WHERE {7})",
      key, lone, names, source, kOrdinal, table_, changes, same_key);
}

ParameterStatement TargetPlan::insert(std::string_view rows, std::size_t count,
                                      std::vector<ByteBuffer>& arrays) const {
  const std::size_t columns = target_->columns.size();
  if (arrays.size() < columns) arrays.resize(columns);
  for (std::size_t i = 0; i < columns; ++i) {
    ByteBuffer& array = arrays[i];
    array.clear();
    array.put(std::int32_t{1});  // dimensions
    array.put(std::int32_t{1});  // may have NULLs
    array.put(static_cast<std::uint32_t>(numbers_of(target_->columns[i].type).element));
    array.put(static_cast<std::int32_t>(count));
    array.put(std::int32_t{1});  // the first index
    static_assert(kArrayHeaderBytes == 5 * sizeof(std::int32_t));
  }
  // An array's element has the form of a COPY field.
  const char* at = rows.data();
  for (std::size_t row = 0; row < count; ++row) {
    at += sizeof(std::int16_t);
    for (std::size_t i = 0; i < columns; ++i) {
      const std::int32_t length = ByteBuffer::load_int32(at);
      const std::size_t bytes = 4 + static_cast<std::size_t>(length < 0 ? 0 : length);
      arrays[i].append({at, bytes});
      at += bytes;
    }
  }
  ParameterStatement out{insert_sql_, array_types_, {}, /*recurs=*/true};
  for (std::size_t i = 0; i < columns; ++i) out.values.push_back(arrays[i].view());
  return out;
}

std::uint64_t TargetPlan::inserted(const PGresult* result) const {
  const bool by_tuple = PQresultStatus(result) == PGRES_TUPLES_OK;
  const std::string_view text =
      by_tuple ? PQgetvalue(result, 0, 0) : PQcmdTuples(const_cast<PGresult*>(result));
  std::uint64_t count = 0;
  std::from_chars(text.data(), text.data() + text.size(), count);
  return count;
}

std::size_t row_bytes(const char* row) noexcept {
  const int fields = static_cast<unsigned char>(row[0]) * 256 + static_cast<unsigned char>(row[1]);
  const char* at = row + 2;
  for (int i = 0; i < fields; ++i) {
    const std::int32_t length = ByteBuffer::load_int32(at);
    at += 4 + (length < 0 ? 0 : length);
  }
  return static_cast<std::size_t>(at - row);
}

}  // namespace hub::storage
