#include "storage/durability.h"

#include <fmt/format.h>

#include "storage/bounded_connection.h"
#include "storage/sql_text.h"

namespace hub::storage {
namespace {

constexpr const char* kSettings =
    "SELECT name, CASE name WHEN 'synchronous_commit' THEN 'when it crashes' "
    "ELSE 'when its machine loses power' END FROM pg_catalog.pg_settings "
    "WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off' "
    "ORDER BY name";

std::string unlogged_sql(const std::vector<TableName>& tables) {
  std::string wanted;
  for (const TableName& name : tables) {
    wanted += fmt::format("{}({}, {})", wanted.empty() ? "" : ", ", quote_literal(name.schema),
                          quote_literal(name.table));
  }
  return fmt::format(
      "SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n "
      "ON n.oid = c.relnamespace WHERE c.relpersistence = 'u' AND (n.nspname, c.relname) IN ({}) "
      "ORDER BY 1",
      wanted);
}

}  // namespace

std::vector<std::string> durability_concerns(const std::string& url,
                                             const std::vector<TableName>& tables,
                                             const Patience& patience) {
  return BoundedConnection(url, patience).run([&](pqxx::connection& connection) {
    pqxx::nontransaction statements(connection);
    std::vector<std::string> out;
    for (const auto& row : statements.exec(kSettings)) {
      out.push_back(fmt::format("the database has {} = off: what was acknowledged may be lost {}",
                                row[0].c_str(), row[1].c_str()));
    }
    if (tables.empty()) return out;
    for (const auto& row : statements.exec(unlogged_sql(tables))) {
      out.push_back(
          fmt::format("table \"{}\" is UNLOGGED: what was acknowledged is lost when the database "
                      "crashes",
                      row[0].c_str()));
    }
    return out;
  });
}

}  // namespace hub::storage
