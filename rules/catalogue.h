#pragma once

#include <optional>
#include <string_view>

#include "base/table_schema.h"

namespace hub::rules {

// The live database as the rule compiler needs it. Implemented by storage/ (joined in hub/).
class Catalogue {
 public:
  virtual ~Catalogue() = default;

  // name: "table" or "schema.table", unquoted and case-sensitive. Empty when there is no such
  // table, or the hub may not insert into it.
  [[nodiscard]] virtual std::optional<TableSchema> table(std::string_view name) const = 0;
};

}  // namespace hub::rules
