#include <fmt/format.h>

#include "http/routes.h"

namespace hub::http {
namespace {

namespace json = boost::json;

const Schema& problem_schema() {
  static const Schema schema{
      "Problem",
      {{"type", FieldType::text, true, "A URI for the kind of problem"},
       {"title", FieldType::text, true, "The kind in words"},
       {"status", FieldType::integer, true, "The HTTP status"},
       {"detail", FieldType::text, true, "What is wrong, and what to do about it"},
       {"instance", FieldType::text, true, "The path that was called"},
       {"code", FieldType::text, true, "The kind for programs, such as InsufficientBalance"}}};
  return schema;
}

const Schema& page_schema() {
  static const Schema schema{"Page",
                             {{"pageNumber", FieldType::integer, true, "From 1"},
                              {"pageSize", FieldType::integer, true, "10 to 100"},
                              {"totalSize", FieldType::integer, true, "Of all pages"},
                              {"totalPage", FieldType::integer, true, "How many pages there are"}}};
  return schema;
}

json::object reference(const Schema& schema) {
  return {{"$ref", fmt::format("#/components/schemas/{}", schema.name)}};
}

void add_schema(json::object& schemas, const Schema& schema) {
  if (schemas.contains(schema.name)) return;
  schemas[schema.name] = to_json_schema(schema);
  for (const auto& field : schema.fields)
    if (field.schema) add_schema(schemas, *field.schema);
}

json::object content(json::object schema, const char* type = "application/json") {
  return {{type, json::object{{"schema", std::move(schema)}}}};
}

json::object parameter(std::string_view name, const char* in, bool required, const char* type) {
  return {
      {"name", name}, {"in", in}, {"required", required}, {"schema", json::object{{"type", type}}}};
}

json::array parameters_of(const Route& route) {
  json::array parameters;
  for (std::size_t at = 0; (at = route.path.find('{', at)) != std::string_view::npos; ++at)
    parameters.push_back(parameter(route.path.substr(at + 1, route.path.find('}', at) - at - 1),
                                   "path", true, "string"));
  for (const auto name : route.query)
    parameters.push_back(parameter(name, "query", false, "string"));
  if (route.is_list)
    for (const char* name : {"pageNumber", "pageSize"})
      parameters.push_back(parameter(name, "query", false, "integer"));
  if (route.method == "POST")
    parameters.push_back(parameter("Idempotency-Key", "header", false, "string"));
  if (route.method == "PATCH")
    parameters.push_back(parameter("If-Match", "header", false, "string"));
  return parameters;
}

json::object answer_of(const Route& route) {
  json::object answer{{"description", route.status == 204 ? "Done" : "The answer"}};
  if (!route.answer) return answer;
  if (!route.is_list) {
    answer["content"] = content(reference(*route.answer));
    return answer;
  }
  answer["content"] = content(
      {{"type", "object"},
       {"properties", json::object{{"items", json::object{{"type", "array"},
                                                          {"items", reference(*route.answer)}}},
                                   {"page", reference(page_schema())}}},
       {"required", json::array{"items", "page"}}});
  return answer;
}

json::object operation_of(const Route& route) {
  json::object operation{{"operationId", route.id}, {"summary", route.about}};
  if (auto parameters = parameters_of(route); !parameters.empty())
    operation["parameters"] = std::move(parameters);
  if (route.request)
    operation["requestBody"] =
        json::object{{"required", true}, {"content", content(reference(*route.request))}};
  operation["responses"] =
      json::object{{std::to_string(route.status), answer_of(route)},
                   {"default", json::object{{"description", "A problem (RFC 9457)"},
                                            {"content", content(reference(problem_schema()),
                                                                "application/problem+json")}}}};
  if (!route.scope.empty())
    operation["security"] = json::array{json::object{{"bearer", json::array{route.scope}}}};
  return operation;
}

}  // namespace

json::object describe(const std::vector<Route>& routes, std::string_view title,
                      std::string_view version) {
  json::object paths, schemas;
  add_schema(schemas, problem_schema());
  add_schema(schemas, page_schema());
  for (const auto& route : routes) {
    for (const auto* schema : {route.request, route.answer})
      if (schema) add_schema(schemas, *schema);
    std::string method(route.method);
    for (char& c : method) c = static_cast<char>(c - 'A' + 'a');
    auto& path = paths[route.path];
    if (!path.is_object()) path = json::object{};
    path.get_object()[method] = operation_of(route);
  }
  return {{"openapi", "3.1.0"},
          {"info", json::object{{"title", title}, {"version", version}}},
          {"paths", std::move(paths)},
          {"components",
           json::object{
               {"schemas", std::move(schemas)},
               {"securitySchemes",
                json::object{{"bearer", json::object{{"type", "http"}, {"scheme", "bearer"}}}}}}}};
}

}  // namespace hub::http
