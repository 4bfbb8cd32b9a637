#pragma once

#include <optional>
#include <string>
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

  // Why table() is empty, for whoever wrote the rule.
  [[nodiscard]] virtual std::string why_not(std::string_view name) const {
    return "there is no table " + std::string(name);
  }
};

}  // namespace hub::rules
