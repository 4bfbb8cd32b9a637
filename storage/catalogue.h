#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/table_schema.h"
#include "storage/database_error.h"

namespace hub::storage {

// Reads tables from the live database's catalogue. Blocking; for start-up and rule loading.
class PgCatalogue {
 public:
  // Connects. This and all that asks throw DatabaseError.
  explicit PgCatalogue(const std::string& url, const Patience& patience = {});
  ~PgCatalogue();

  // name: "table", found by the search_path, or "schema.table"; unquoted and case-sensitive.
  // Tables, partitioned tables and views are tables. Empty when there is none of that name or the
  // role may not insert into it.
  [[nodiscard]] std::optional<TableSchema> table(std::string_view name) const;

  // Why table() is empty, as a sentence: `there is no table "x"; there are: "y", "z"` or
  // `role "hub" may not insert into "x"`.
  [[nodiscard]] std::string why_not(std::string_view name) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hub::storage
