#pragma once

#include <string>
#include <utility>
#include <vector>

#include "storage/database_error.h"

namespace hub::storage {

struct TableName {
  std::string schema;
  std::string table;
};

// Why a row that has committed may be gone all the same after a crash, as the database and these of
// its tables are set up: a sentence for each reason. Blocking; for start-up.
//
// Throws DatabaseError.
[[nodiscard]] std::vector<std::string> durability_concerns(const std::string& url,
                                                           const std::vector<TableName>& tables,
                                                           const Patience& patience = {});

}  // namespace hub::storage
