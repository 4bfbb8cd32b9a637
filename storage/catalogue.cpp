#include "storage/catalogue.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "storage/bounded_connection.h"

namespace hub::storage {
namespace {

// A table that rows can be copied into: plain, partitioned, or a view with an INSTEAD OF trigger.
constexpr const char* kIsTable =
    "(c.relkind IN ('r', 'p') OR c.relkind = 'v' AND EXISTS (SELECT FROM pg_catalog.pg_trigger t "
    "WHERE t.tgrelid = c.oid AND t.tgtype & 68 = 68))";

ColumnType column_type(int type) {
  switch (type) {  // pg_type.oid, fixed for built-in types
    case 16:
      return ColumnType::boolean;
    case 20:
      return ColumnType::int8;
    case 21:
      return ColumnType::int2;
    case 23:
      return ColumnType::int4;
    case 700:
      return ColumnType::float4;
    case 701:
      return ColumnType::float8;
    case 1700:
      return ColumnType::numeric;
    case 25:
    case 1042:
    case 1043:
      return ColumnType::text;
    case 3802:
      return ColumnType::jsonb;
    case 114:
      return ColumnType::json;
    case 1184:
      return ColumnType::timestamptz;
    case 1114:
      return ColumnType::timestamp;
    case 1082:
      return ColumnType::date;
    case 2950:
      return ColumnType::uuid;
    case 17:
      return ColumnType::bytea;
    default:
      return ColumnType::other;
  }
}

// pg_attribute.atttypmod: 4 more than what was written; numeric packs precision and scale.
void read_type_modifier(Column& column, int type, int modifier) {
  if (modifier < 4) return;
  const int value = modifier - 4;
  if (type == 1042 || type == 1043) column.max_characters = static_cast<std::uint32_t>(value);
  if (type == 1700) {
    const int scale = ((value & 0x7FF) ^ 1024) - 1024;
    if (scale < 0) return;  // rounds before the point: left to the server
    column.numeric_precision = static_cast<std::uint16_t>((value >> 16) & 0xFFFF);
    column.numeric_scale = static_cast<std::uint16_t>(scale);
  }
}

}  // namespace

struct PgCatalogue::Impl {
  Impl(const std::string& url, const Patience& patience) : database(url, patience) {}

  struct Found {
    std::string oid;
    std::string schema;
    std::string name;
    bool may_insert;
    bool rewrites_insert;  // by CREATE RULE, which COPY does not follow
  };

  // A name may itself hold a dot: the table of that name wins, then "schema.table".
  std::optional<Found> find(pqxx::transaction_base& transaction, std::string_view name) {
    const std::string where_unqualified =
        fmt::format("c.relname = {} AND pg_catalog.pg_table_is_visible(c.oid)",
                    transaction.quote(std::string(name)));
    if (auto found = find_where(transaction, where_unqualified)) return found;
    for (std::size_t dot = name.find('.'); dot != std::string_view::npos;
         dot = name.find('.', dot + 1)) {
      const std::string where_qualified = fmt::format(
          "n.nspname = {} AND c.relname = {}", transaction.quote(std::string(name.substr(0, dot))),
          transaction.quote(std::string(name.substr(dot + 1))));
      if (auto found = find_where(transaction, where_qualified)) return found;
    }
    return std::nullopt;
  }

  static std::optional<Found> find_where(pqxx::transaction_base& transaction,
                                         const std::string& condition) {
    const auto rows = transaction.exec(fmt::format(
        "SELECT c.oid, n.nspname, c.relname, pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND "
        "(pg_catalog.has_table_privilege(c.oid, 'INSERT') OR "
        "pg_catalog.has_any_column_privilege(c.oid, 'INSERT')), "
        "EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.ev_class = c.oid AND r.ev_type = '3' "
        "AND r.ev_enabled <> 'D') "
        "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
        "WHERE {} AND {}",
        kIsTable, condition));
    if (rows.empty()) return std::nullopt;
    const auto row = rows[0];
    return Found{row[0].c_str(), row[1].c_str(), row[2].c_str(), row[3].as<bool>(),
                 row[4].as<bool>()};
  }

  BoundedConnection database;
};

namespace {

template <class Body>
auto reading(BoundedConnection& database, Body body) {
  return database.run([&](pqxx::connection& connection) {
    pqxx::nontransaction statements(connection);  // one round trip for each
    return body(statements);
  });
}

std::vector<std::vector<std::string>> unique_keys(pqxx::transaction_base& transaction,
                                                  const std::string& table_oid) {
  const auto rows = transaction.exec(fmt::format(
      "SELECT i.indexrelid, a.attname FROM pg_catalog.pg_index i "
      "CROSS JOIN LATERAL unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) AS k (attnum) "
      "LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum "
      "AND k.attnum > 0 "
      "WHERE i.indrelid = {} AND i.indisunique AND i.indisvalid AND i.indimmediate "
      "AND i.indpred IS NULL ORDER BY i.indexrelid",
      table_oid));
  std::map<std::string, std::set<std::string>> indexes;
  for (const auto& row : rows) indexes[row[0].c_str()].insert(row[1].c_str());
  std::vector<std::vector<std::string>> out;
  for (const auto& [oid, columns] : indexes) {
    const bool of_expressions = columns.contains("");
    if (!of_expressions) out.emplace_back(columns.begin(), columns.end());
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

PgCatalogue::PgCatalogue(const std::string& url, const Patience& patience)
    : impl_(std::make_unique<Impl>(url, patience)) {}

PgCatalogue::~PgCatalogue() = default;

std::optional<TableSchema> PgCatalogue::table(std::string_view name) const {
  return reading(impl_->database, [&](auto& transaction) -> std::optional<TableSchema> {
    const auto found = impl_->find(transaction, name);
    if (!found || !found->may_insert || found->rewrites_insert) return std::nullopt;
    TableSchema out{found->schema, found->name, {}, {}};
    const auto rows = transaction.exec(fmt::format(
        "SELECT attname, atttypid, atttypmod, pg_catalog.format_type(atttypid, atttypmod), "
        "attnotnull, atthasdef OR attidentity <> '', attgenerated <> '' OR attidentity = 'a' "
        "FROM pg_catalog.pg_attribute "
        "WHERE attrelid = {} AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        found->oid));
    for (const auto& row : rows) {
      Column column;
      column.name = row[0].c_str();
      const int type = row[1].template as<int>();
      // A column that PostgreSQL fills in itself, always, takes no value.
      const bool takes_values = !row[6].template as<bool>();
      column.type = takes_values ? column_type(type) : ColumnType::other;
      column.type_name = row[3].c_str();
      column.not_null = row[4].template as<bool>();
      column.has_default = row[5].template as<bool>();
      read_type_modifier(column, type, row[2].template as<int>());
      if (!takes_values) column.type_name += ", generated";
      out.columns.push_back(std::move(column));
    }
    out.unique_keys = unique_keys(transaction, found->oid);
    return out;
  });
}

std::string PgCatalogue::why_not(std::string_view name) const {
  return reading(impl_->database, [&](auto& transaction) -> std::string {
    if (const auto found = impl_->find(transaction, name)) {
      if (found->may_insert && found->rewrites_insert) {
        return fmt::format(
            "\"{}\" rewrites an INSERT by CREATE RULE, which COPY does not follow: make it a "
            "trigger",
            name);
      }
      if (found->may_insert) return {};
      return fmt::format("role \"{}\" may not insert into \"{}\"",
                         transaction.exec("SELECT current_user")[0][0].c_str(), name);
    }
    std::string others;
    for (const auto& row : transaction.exec(fmt::format(
             "SELECT c.relname FROM pg_catalog.pg_class c WHERE {} AND NOT c.relispartition AND "
             "c.relnamespace NOT IN ('pg_catalog'::regnamespace, "
             "'information_schema'::regnamespace) "
             "AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY c.relname LIMIT 20",
             kIsTable))) {
      others += fmt::format("{}\"{}\"", others.empty() ? "; there are: " : ", ", row[0].c_str());
    }
    return fmt::format("there is no table \"{}\"{}", name, others);
  });
}

}  // namespace hub::storage
