#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <thread>
#include <vector>

#include "http/client.h"
#include "http/problem.h"
#include "http/rate_limiter.h"
#include "http/routes.h"
#include "http/server.h"

namespace hub::http {
namespace {

using namespace std::chrono_literals;

Response echo(const Request& request) {
  return {200, request.method + " " + request.path + " " + request.body, "text/plain", {}};
}

Response ask(const Server& server, const std::string& method, const std::string& target,
             const std::string& body = "") {
  return call("127.0.0.1", server.port(), {method, target, {}, {}, body, ""}, 10s);
}

TEST(HttpServer, AnswersSeveralAtOnce) {
  Server server{{}, echo};
  std::vector<std::thread> clients;
  for (int i = 0; i < 8; ++i)
    clients.emplace_back([&server, i] {
      for (int n = 0; n < 10; ++n)
        EXPECT_EQ(ask(server, "POST", "/x", std::to_string(i)).body,
                  "POST /x " + std::to_string(i));
    });
  for (auto& client : clients) client.join();
}

TEST(HttpServer, RefusesABodyThatIsTooLarge) {
  Server server{{.max_body_bytes = 100}, echo};
  EXPECT_EQ(ask(server, "POST", "/x", std::string(101, 'x')).status, 413);
  EXPECT_EQ(ask(server, "POST", "/x", std::string(100, 'x')).status, 200);
}

TEST(HttpServer, RefusesATargetThatIsNotWellFormed) {
  Server server{{}, echo};
  EXPECT_EQ(ask(server, "GET", "/%zz").status, 400);
  EXPECT_EQ(ask(server, "GET", "/%00").status, 400);
  EXPECT_EQ(ask(server, "GET", "/a%20b?x=1").body, "GET /a b ");
}

TEST(HttpServer, SaysThatItCannotListen) {
  Server server{{}, echo};
  EXPECT_THROW((Server{{.port = server.port()}, echo}), std::runtime_error);
}

TEST(HttpClient, SaysThatNobodyAnswers) {
  std::uint16_t port = 0;
  {
    Server server{{}, echo};
    port = server.port();
  }
  EXPECT_THROW(static_cast<void>(call("127.0.0.1", port, {"GET", "/", {}, {}, "", ""}, 5s)),
               std::runtime_error);
}

TEST(RateLimiter, AdmitsABurstAndThenSoManyASecond) {
  RateLimiter limiter{2, 3};
  const auto now = RateLimiter::Clock::time_point{} + 1h;
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limiter.admit("a", now));
  EXPECT_FALSE(limiter.admit("a", now));
  EXPECT_TRUE(limiter.admit("b", now));
  EXPECT_TRUE(limiter.admit("a", now + 500ms));
  EXPECT_FALSE(limiter.admit("a", now + 500ms));
}

TEST(RateLimiter, ForgetsCallersThatAreQuiet) {
  RateLimiter limiter{1000, 1};
  const auto now = RateLimiter::Clock::time_point{} + 1h;
  for (int i = 0; i < 30'000; ++i) EXPECT_TRUE(limiter.admit(std::to_string(i), now + i * 1ms));
}

class RouterTest : public ::testing::Test {
 protected:
  const Schema wanted{"Wanted",
                      {{"name", FieldType::text, true, "A name"},
                       {"count", FieldType::integer, false, "A count"},
                       {"tags", FieldType::texts, false, "Tags"}}};
  static Response done(const RouteRequest& request) {
    std::string text(request.route.id);
    for (const auto& [name, value] : request.parameters) text += " " + name + "=" + value;
    return {200, text, "text/plain", {}};
  }
  Router router{{
      {.method = "GET", .path = "/v1/things", .id = "list", .handler = done},
      {.method = "POST",
       .path = "/v1/things",
       .id = "make",
       .request = &wanted,

       .handler = done},
      {.method = "GET", .path = "/v1/things/{thing}", .id = "get", .handler = done},
      {.method = "POST",
       .path = "/v1/things/{thing}:start",
       .id = "start",

       .handler = done},
      {.method = "GET",
       .path = "/v1/broken",
       .id = "broken",

       .handler = [](const RouteRequest&) -> Response {
         throw std::runtime_error("a secret of the inside");
       }},
  }};
  Response call(const std::string& method, const std::string& path, const std::string& body = "") {
    return router.handle({method, path, {}, {}, body, ""});
  }
  std::string code(const Response& response) {
    EXPECT_EQ(response.content_type, "application/problem+json");
    return std::string(boost::json::parse(response.body).at("code").as_string());
  }
};

TEST_F(RouterTest, FindsRoutesByMethodPathAndVerb) {
  EXPECT_EQ(call("GET", "/v1/things").body, "list");
  EXPECT_EQ(call("GET", "/v1/things/a b").body, "get thing=a b");
  EXPECT_EQ(call("POST", "/v1/things/a:start").body, "start thing=a");
  EXPECT_EQ(code(call("GET", "/v1/other")), "NotFound");
  EXPECT_EQ(code(call("GET", "/v1/things/a/b")), "NotFound");
  EXPECT_EQ(code(call("POST", "/v1/things/:start")), "NotFound");
  const auto wrong = call("DELETE", "/v1/things");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.headers.back().second, "GET, POST");
}

TEST_F(RouterTest, ChecksABodyAgainstItsSchema) {
  EXPECT_EQ(call("POST", "/v1/things", R"({"name":"x","count":3,"tags":["a"]})").status, 200);
  for (const char* body :
       {R"({})", R"({"name":3})", R"({"name":"x","count":"3"})", R"({"name":"x","cuont":3})",
        R"({"name":"x","tags":[3]})", R"([])", R"({"name":)", R"("x")"}) {
    const auto refused = call("POST", "/v1/things", body);
    EXPECT_EQ(refused.status, 400) << body;
    EXPECT_EQ(code(refused), "InvalidRequest") << body;
  }
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += R"({"name":)";
  EXPECT_EQ(call("POST", "/v1/things", deep).status, 400);
  EXPECT_EQ(call("GET", "/v1/things", "{}").status, 400);
}

TEST_F(RouterTest, TellsNothingOfTheInsideWhenItFails) {
  const auto failed = call("GET", "/v1/broken");
  EXPECT_EQ(failed.status, 500);
  EXPECT_EQ(failed.body.find("secret"), std::string::npos);
}

TEST_F(RouterTest, DescribesEachRoute) {
  const auto description = describe(router.routes(), "Things", "1");
  EXPECT_EQ(description.at("openapi").as_string(), "3.1.0");
  const auto& paths = description.at("paths").as_object();
  EXPECT_EQ(paths.size(), 4u);
  EXPECT_EQ(paths.at("/v1/things").at("post").at("operationId").as_string(), "make");
  const auto& schema = description.at("components").at("schemas").at("Wanted");
  EXPECT_EQ(schema.at("required").as_array().size(), 1u);
  EXPECT_EQ(schema.at("properties").at("count").at("type").as_string(), "integer");
}

}  // namespace
}  // namespace hub::http
