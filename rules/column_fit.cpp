#include "rules/column_fit.h"

#include <fmt/format.h>

namespace hub::rules {
namespace {

using sql::Type;

bool is_json(ColumnType type) { return type == ColumnType::json || type == ColumnType::jsonb; }

// Whether some values of a static type (null and any aside) fit columns of a type.
bool may_fit(Type type, ColumnType column) {
  switch (column) {
    case ColumnType::boolean:
      return type == Type::boolean;
    case ColumnType::int2:
    case ColumnType::int4:
    case ColumnType::int8:
    case ColumnType::float4:
    case ColumnType::float8:
      return sql::is_numeric(type);
    case ColumnType::numeric:
      return sql::is_numeric(type) || type == Type::text;
    case ColumnType::uuid:
      return type == Type::text;
    case ColumnType::bytea:
      return type == Type::text || type == Type::json;
    case ColumnType::timestamptz:
    case ColumnType::timestamp:
    case ColumnType::date:
      return sql::is_numeric(type) || type == Type::text;
    case ColumnType::text:
    case ColumnType::json:
    case ColumnType::jsonb:
      return true;
    case ColumnType::other:
      return false;
  }
  return false;
}

std::string_view advice(Type type, ColumnType column) {
  if (column == ColumnType::boolean) return "; make it a boolean with a comparison or with bool()";
  if (type == Type::text) return "; read a number from it with int() or float()";
  if (type == Type::boolean) return "; make it a number with int()";
  return "";
}

bool out_of_range(const sql::BoundExpr& expr, ColumnType column) {
  if (expr.op != sql::Op::constant || expr.constant.kind() != Value::Kind::integer) return false;
  const std::int64_t value = expr.constant.as_integer();
  if (column == ColumnType::int2) return value != static_cast<std::int16_t>(value);
  if (column == ColumnType::int4) return value != static_cast<std::int32_t>(value);
  return false;
}

}  // namespace

std::optional<std::string> column_misfit(const sql::BoundExpr& expr, const Column& column) {
  if (column.type == ColumnType::other) {
    return fmt::format("column {} is of type {}, which rules cannot write", column.name,
                       column.type_name);
  }
  if (expr.type == Type::null) {
    if (!column.not_null) return std::nullopt;
    return fmt::format("column {} is NOT NULL, and {} is always NULL", column.name, expr.source);
  }
  if (expr.type != Type::any && !may_fit(expr.type, column.type)) {
    return fmt::format("column {} is {}, and {} is {}{}", column.name, column.type_name,
                       expr.source, to_string(expr.type), advice(expr.type, column.type));
  }
  if (out_of_range(expr, column.type)) {
    return fmt::format("column {} is {}, and {} is beyond its range", column.name, column.type_name,
                       expr.source);
  }
  return std::nullopt;
}

DumpAction::Form form_for(const sql::BoundExpr& expr, const Column& column) {
  if (is_json(column.type)) return DumpAction::Form::json;
  if (expr.op == sql::Op::payload_text && column.type != ColumnType::bytea) {
    return DumpAction::Form::payload;
  }
  return DumpAction::Form::value;
}

}  // namespace hub::rules
