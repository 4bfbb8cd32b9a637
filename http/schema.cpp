#include "http/schema.h"

#include <fmt/format.h>

#include "http/problem.h"

namespace hub::http {
namespace {

namespace json = boost::json;

std::string_view name_of(FieldType type) {
  switch (type) {
    case FieldType::text:
      return "text";
    case FieldType::integer:
      return "a whole number";
    case FieldType::boolean:
      return "true or false";
    case FieldType::money:
      return "an amount as text, such as \"100.00\"";
    case FieldType::timestamp:
      return "a time as text, such as \"2019-04-02T08:00:00Z\"";
    case FieldType::texts:
      return "a list of text";
    case FieldType::objects:
      return "a list of objects";
    case FieldType::object:
      return "an object";
  }
  return "";
}

bool is_list_of_text(const json::value& value) {
  if (!value.is_array()) return false;
  for (const auto& item : value.get_array())
    if (!item.is_string()) return false;
  return true;
}

bool fits(const Field& field, const json::value& value) {
  switch (field.type) {
    case FieldType::text:
    case FieldType::money:
    case FieldType::timestamp:
      return value.is_string();
    case FieldType::integer:
      return value.is_int64();
    case FieldType::boolean:
      return value.is_bool();
    case FieldType::texts:
      return is_list_of_text(value);
    case FieldType::object:
      return value.is_object();
    case FieldType::objects:
      return value.is_array();
  }
  return false;
}

json::object type_of(const Field& field) {
  const auto reference = [&] {
    return json::object{{"$ref", fmt::format("#/components/schemas/{}", field.schema->name)}};
  };
  switch (field.type) {
    case FieldType::text:
      return {{"type", "string"}};
    case FieldType::integer:
      return {{"type", "integer"}, {"format", "int64"}};
    case FieldType::boolean:
      return {{"type", "boolean"}};
    case FieldType::money:
      return {{"type", "string"}, {"pattern", "^-?[0-9]+\\.[0-9]{2,6}$"}};
    case FieldType::timestamp:
      return {{"type", "string"}, {"format", "date-time"}};
    case FieldType::texts:
      return {{"type", "array"}, {"items", json::object{{"type", "string"}}}};
    case FieldType::object:
      return reference();
    case FieldType::objects:
      return {{"type", "array"}, {"items", reference()}};
  }
  return {};
}

}  // namespace

void check(const Schema& schema, const json::object& object) {
  for (const auto& [key, value] : object) {
    const Field* known = nullptr;
    for (const auto& field : schema.fields)
      if (field.name == std::string_view(key)) known = &field;
    if (!known)
      throw Problem::invalid(
          fmt::format("'{}' is not a field of {}.", std::string_view(key), schema.name));
    if (!fits(*known, value))
      throw Problem::invalid(fmt::format("'{}' is {}.", known->name, name_of(known->type)));
  }
  for (const auto& field : schema.fields)
    if (field.required && !object.contains(field.name))
      throw Problem::invalid(fmt::format("'{}' is missing: {}.", field.name, field.about));
}

json::object to_json_schema(const Schema& schema) {
  json::object properties;
  json::array required;
  for (const auto& field : schema.fields) {
    auto type = type_of(field);
    if (!field.about.empty() && !field.schema) type["description"] = field.about;
    properties[field.name] = std::move(type);
    if (field.required) required.emplace_back(field.name);
  }
  json::object out{{"type", "object"}, {"properties", std::move(properties)}};
  if (!required.empty()) out["required"] = std::move(required);
  return out;
}

}  // namespace hub::http
