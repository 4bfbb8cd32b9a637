#include "http/problem.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace hub::http {

Response Problem::response(std::string_view instance) const {
  const boost::json::object body{
      {"type", "about:blank#" + code_}, {"title", title_}, {"status", status_}, {"detail", what()},
      {"instance", instance},           {"code", code_}};
  Response response{status_, boost::json::serialize(body), "application/problem+json", {}};
  if (status_ == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  if (status_ == 429) response.headers.emplace_back("Retry-After", "1");
  return response;
}

}  // namespace hub::http
