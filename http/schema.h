#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <span>
#include <string_view>
#include <vector>

namespace hub::http {

enum class FieldType {
  text,
  integer,
  boolean,
  money,      // an amount in yuan as text, "21.92": no rounding on the way
  timestamp,  // ISO 8601, UTC
  texts,      // a list of text
  objects,    // a list of objects of `schema`
  object,
};

struct Schema;

struct Field {
  std::string_view name;
  FieldType type = FieldType::text;
  bool required = false;  // in a request: must be given; in an answer: is always there
  std::string_view about;
  const Schema* schema = nullptr;  // of object and objects
};

// The shape of a JSON object: what a request is checked against, and what the OpenAPI description
// says.
struct Schema {
  std::string_view name;  // "NewVpc"
  std::vector<Field> fields;
};

// Throws Problem (InvalidRequest) that names the field: unknown, missing, or of another type.
void check(const Schema& schema, const boost::json::object& object);

// The same as a JSON Schema.
[[nodiscard]] boost::json::object to_json_schema(const Schema& schema);

}  // namespace hub::http
