#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hub {

// The column types that a rule can write; `other` is any type that it cannot.
enum class ColumnType : std::uint8_t {
  boolean,
  int2,
  int4,
  int8,
  float4,
  float8,
  numeric,
  text,  // also varchar(n) and char(n): see Column::max_characters
  jsonb,
  json,
  timestamptz,
  timestamp,
  date,
  uuid,
  bytea,
  other,
};

struct Column {
  std::string name;
  ColumnType type = ColumnType::other;
  std::string type_name;             // as PostgreSQL prints it: "character varying(40)"
  std::uint32_t max_characters = 0;  // 0: no limit
  std::uint16_t numeric_precision = 0;
  std::uint16_t numeric_scale = 0;
  bool not_null = false;
  bool has_default = false;  // a default, an identity or a generated value
};

// One table of the live database, read from its catalogue.
struct TableSchema {
  std::string schema;  // "public"
  std::string name;
  std::vector<Column> columns;  // in the table's order
  // The columns of each unique index that ON CONFLICT can name, sorted: not partial, not over
  // expressions, not deferrable.
  std::vector<std::vector<std::string>> unique_keys;
};

}  // namespace hub
