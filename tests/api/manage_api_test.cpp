#include "api/manage/manage_api.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <set>

#include "tests/instances/world.h"

namespace hub::api {
namespace {

namespace json = boost::json;
using namespace instances;

// The whole of the control plane below HTTP, on a machine in memory.
class ManageApiTest : public World {
 protected:
  struct Result {
    int status = 0;
    json::object body;
    std::string etag;
    bool replayed = false;
    std::string code() const {
      return body.contains("code") ? std::string(body.at("code").as_string()) : "";
    }
    std::string text(const char* name) const { return std::string(body.at(name).as_string()); }
  };

  // Every answer of success is held against the schema that the description gives it.
  Result call(const std::string& method, const std::string& path, const json::object& body = {},
              std::map<std::string, std::string> headers = {}) {
    http::Request request{method, "", {}, std::move(headers), "", "192.0.2.1"};
    EXPECT_TRUE(http::parse_target(path, request));
    if (!body.empty()) request.body = json::serialize(body);
    if (!secret.empty() && !request.headers.contains("authorization"))
      request.headers["authorization"] = "Bearer " + secret;
    const auto response = api.handle(request);
    Result result{response.status, {}, "", false};
    if (!response.body.empty()) result.body = json::parse(response.body).as_object();
    for (const auto& [name, value] : response.headers) {
      if (name == "ETag") result.etag = value;
      if (name == "Idempotent-Replayed") result.replayed = true;
    }
    if (response.status >= 400)
      EXPECT_EQ(response.content_type, "application/problem+json");
    else
      check_answer(method, request.path, result);
    return result;
  }

  // Whether a path has the pattern's segments, where one in braces stands for any without a verb.
  static bool is_of(std::string_view pattern, std::string_view path) {
    while (!pattern.empty() && !path.empty()) {
      const auto expected = pattern.substr(0, pattern.find('/', 1));
      const auto segment = path.substr(0, path.find('/', 1));
      const auto colon = segment.find(':');
      if (expected.starts_with("/{")) {
        const auto verb = expected.substr(expected.find('}') + 1);
        if (verb != (colon == std::string_view::npos ? "" : segment.substr(colon))) return false;
      } else if (expected != segment) {
        return false;
      }
      pattern.remove_prefix(expected.size());
      path.remove_prefix(segment.size());
    }
    return pattern.empty() && path.empty();
  }

  void check_answer(const std::string& method, const std::string& path, const Result& result) {
    for (const auto& route : api.router().routes()) {
      if (route.method != method || !is_of(route.path, path)) continue;
      EXPECT_EQ(result.status, route.status) << path;
      if (!route.answer) return;
      if (!route.is_list) return http::check(*route.answer, result.body);
      for (const auto& item : result.body.at("items").as_array())
        http::check(*route.answer, item.as_object());
      return;
    }
  }

  std::string token_of(const std::string& account_id,
                       std::vector<std::string> scopes = {"read", "write", "pay"}) {
    return in([&](const Call& c) {
      return create_token(c, account_id, {"test", scopes, c.now + std::chrono::hours{24 * 365}})
          .secret;
    });
  }

  // Confirms and pays, and works until it is done.
  void buy_order(const Result& order) {
    ASSERT_EQ(order.status, 201) << json::serialize(order.body);
    const auto path = "/v1/orders/" + order.text("orderNumber");
    EXPECT_EQ(call("POST", path + ":confirm", {{"termsAccepted", true}}).status, 200);
    const auto paid = call("POST", path + ":pay", {});
    EXPECT_EQ(paid.status, 200) << json::serialize(paid.body);
    work();
  }
  void make_everything() {
    EXPECT_EQ(
        call("POST", "/v1/vpcs", {{"name", "plant"}, {"addressPrefix", "10.1.0.0/16"}}).status,
        201);
    EXPECT_EQ(call("POST", "/v1/subnets",
                   {{"vpc", "plant"}, {"name", "line1"}, {"addressPrefix", "10.1.1.0/24"}})
                  .status,
              201);
    buy_order(call("POST", "/v1/rds", {{"name", "db"}, {"vpc", "plant"}, {"subnet", "line1"}}));
    EXPECT_EQ(call("POST", "/v1/rds/db:init").status, 202);
    work();
    buy_order(call("POST", "/v1/hubs",
                   {{"name", "hub1"}, {"vpc", "plant"}, {"subnet", "line1"}, {"rds", "db"}}));
  }

  OperatorVerifier verifier;
  ManageApi api{{database, clock, settings, verifier, Isolation::namespaces, "1.0"}};
  std::string secret;
};

TEST_F(ManageApiTest, TakesAUserFromNothingToARunningHub) {
  const auto op = in([](const Call& c) { return ensure_operator(c).id; });
  const auto op_token = token_of(op, {"read", "write", "pay", "operator"});
  EXPECT_EQ(call("POST", "/v1/accounts", {{"name", "acme"}, {"password", "correct horse"}}).status,
            201);
  EXPECT_EQ(call("POST", "/v1/sessions", {{"name", "acme"}, {"password", "wrong horse"}}).code(),
            "SignInFailed");
  const auto session =
      call("POST", "/v1/sessions", {{"name", "acme"}, {"password", "correct horse"}});
  secret = session.text("secret");
  EXPECT_EQ(call("GET", "/v1/account").text("verification"), "unverified");
  EXPECT_EQ(call("POST", "/v1/vpcs", {{"name", "early"}}).status, 201);  // free of charge
  const auto early =
      call("POST", "/v1/rds", {{"name", "db"}, {"vpc", "early"}, {"subnet", "none"}});
  EXPECT_EQ(early.status, 403);
  EXPECT_EQ(early.code(), "AccountNotVerified");
  EXPECT_EQ(call("POST", "/v1/account/verification",
                 {{"kind", "personal"},
                  {"subject", "Zhang San"},
                  {"identityNumber", "11010519491231002X"}})
                .text("status"),
            "reviewing");
  const std::map<std::string, std::string> as_operator{{"authorization", "Bearer " + op_token}};
  EXPECT_EQ(call("POST", "/v1/accounts/acme/verification/decision", {{"approve", true}}).code(),
            "Forbidden");
  EXPECT_EQ(
      call("POST", "/v1/accounts/acme/verification/decision", {{"approve", true}}, as_operator)
          .text("status"),
      "verified");
  EXPECT_EQ(call("POST", "/v1/accounts/acme/deposits",
                 {{"amount", "100.00"}, {"reference", "bank 1"}}, as_operator)
                .text("cashBalance"),
            "100.00");
  make_everything();
  const auto hub = call("GET", "/v1/hubs/hub1");
  EXPECT_EQ(hub.text("status"), "RUNNING");
  EXPECT_EQ(hub.text("vpcName"), "plant");
  EXPECT_EQ(hub.text("publicEndpoint"), "hub.example:18830");
  EXPECT_EQ(call("DELETE", "/v1/hubs/hub1").code(), "InvalidRequest");
  EXPECT_EQ(call("DELETE", "/v1/hubs/hub1?confirm=hub1").status, 202);
  work();
  EXPECT_EQ(call("GET", "/v1/hubs/hub1").status, 404);
}

TEST_F(ManageApiTest, AskingTwiceWithOneKeyIsAskingOnce) {
  secret = token_of(account("acme"));
  const std::map<std::string, std::string> key{{"idempotency-key", "k1"}};
  const auto first = call("POST", "/v1/vpcs", {{"name", "plant"}}, key);
  const auto second = call("POST", "/v1/vpcs", {{"name", "plant"}}, key);
  EXPECT_FALSE(first.replayed);
  EXPECT_TRUE(second.replayed);
  EXPECT_EQ(first.body, second.body);
  EXPECT_EQ(call("POST", "/v1/vpcs", {{"name", "other"}}, key).code(), "IdempotencyConflict");
  EXPECT_EQ(call("POST", "/v1/vpcs", {{"name", "plant"}}).code(), "DuplicateName");
  EXPECT_EQ(call("GET", "/v1/vpcs").body.at("page").at("totalSize").as_int64(), 1);
}

TEST_F(ManageApiTest, PayingTwiceWithOneKeyIsPayingOnce) {
  secret = token_of(account("acme", yuan(300)));
  call("POST", "/v1/vpcs", {{"name", "plant"}});
  call("POST", "/v1/subnets",
       {{"vpc", "plant"}, {"name", "line1"}, {"addressPrefix", "10.1.1.0/24"}});
  const auto order = call("POST", "/v1/rds",
                          {{"name", "db"},
                           {"vpc", "plant"},
                           {"subnet", "line1"},
                           {"chargeMode", "monthly"},
                           {"months", 1}});
  EXPECT_EQ(order.text("totalFee"), "108.00");
  const auto path = "/v1/orders/" + order.text("orderNumber");
  EXPECT_EQ(call("POST", path + ":pay", {}).code(), "TermsNotAccepted");
  call("POST", path + ":confirm", {{"termsAccepted", true}});
  const std::map<std::string, std::string> key{{"idempotency-key", "pay"}};
  EXPECT_EQ(call("POST", path + ":pay", {}, key).text("status"), "dealing");
  EXPECT_TRUE(call("POST", path + ":pay", {}, key).replayed);
  EXPECT_EQ(call("GET", "/v1/wallet").text("cashBalance"), "192.00");
}

TEST_F(ManageApiTest, ChangesWhatIsStillAsItWasRead) {
  secret = token_of(account("acme"));
  call("POST", "/v1/vpcs", {{"name", "plant"}});
  const auto etag = call("GET", "/v1/vpcs/plant").etag;
  EXPECT_EQ(etag, "\"1\"");
  EXPECT_EQ(call("PATCH", "/v1/vpcs/plant", {{"description", "a"}}, {{"if-match", etag}}).etag,
            "\"2\"");
  const auto stale = call("PATCH", "/v1/vpcs/plant", {{"description", "b"}}, {{"if-match", etag}});
  EXPECT_EQ(stale.status, 412);
  EXPECT_EQ(stale.code(), "VersionConflict");
  EXPECT_EQ(call("PATCH", "/v1/vpcs/plant", {{"description", "b"}}, {{"if-match", "x"}}).status,
            400);
}

TEST_F(ManageApiTest, GivesListsByPages) {
  secret = token_of(account("acme"));
  call("POST", "/v1/vpcs", {{"name", "plant"}});
  for (int i = 0; i < 13; ++i)
    call("POST", "/v1/subnets",
         {{"vpc", "plant"},
          {"name", "s" + std::to_string(i)},
          {"addressPrefix", "10.1." + std::to_string(i) + ".0/24"}});
  const auto first = call("GET", "/v1/subnets");
  EXPECT_EQ(first.body.at("items").as_array().size(), 10u);
  const auto second = call("GET", "/v1/subnets?pageNumber=2");
  EXPECT_EQ(second.body.at("items").as_array().size(), 3u);
  EXPECT_EQ(second.body.at("page").at("totalPage").as_int64(), 2);
  EXPECT_EQ(call("GET", "/v1/subnets?pageNumber=0").status, 400);
  EXPECT_EQ(call("GET", "/v1/subnets?pageSize=101").status, 400);
  EXPECT_EQ(call("GET", "/v1/subnets?pageSize=x").status, 400);
}

TEST_F(ManageApiTest, NeedsATokenThatIsValidAndAllowsTheCall) {
  EXPECT_EQ(call("GET", "/v1/vpcs").code(), "Unauthorized");
  secret = "iht_guess";
  EXPECT_EQ(call("GET", "/v1/vpcs").code(), "Unauthorized");
  const auto acme = account("acme");
  secret = token_of(acme, {"read"});
  EXPECT_EQ(call("GET", "/v1/vpcs").status, 200);
  EXPECT_EQ(call("POST", "/v1/vpcs", {{"name", "plant"}}).code(), "Forbidden");
  secret = token_of(acme, {"read", "write", "operator"});  // a scope alone makes no operator
  EXPECT_EQ(call("GET", "/v1/accounts").code(), "Forbidden");
  EXPECT_EQ(call("POST", "/v1/tokens", {{"name", "x"}, {"scopes", json::array{"pay"}}}).code(),
            "Forbidden");
}

TEST_F(ManageApiTest, ShowsNoAccountTheThingsOfAnother) {
  const auto acme = account("acme"), other = account("other");
  secret = token_of(acme);
  make_everything();
  const auto vpc = call("GET", "/v1/vpcs/plant").text("vpcId");
  const auto hub = call("GET", "/v1/hubs/hub1").text("instanceId");
  secret = token_of(other);
  for (const auto& path : {"/v1/vpcs/" + vpc, std::string("/v1/vpcs/plant"), "/v1/hubs/" + hub,
                           std::string("/v1/rds/db")}) {
    EXPECT_EQ(call("GET", path).code(), "NotFound") << path;
    EXPECT_EQ(call("DELETE", path + "?confirm=hub1").code(), "NotFound") << path;
  }
  EXPECT_EQ(call("GET", "/v1/account", {}, {{"x-account", "acme"}}).code(), "Forbidden");
  for (const char* list : {"/v1/vpcs", "/v1/subnets", "/v1/security-groups", "/v1/rds", "/v1/hubs",
                           "/v1/orders", "/v1/bills", "/v1/operations"})
    EXPECT_EQ(call("GET", list).body.at("page").at("totalSize").as_int64(), 0) << list;
}

TEST_F(ManageApiTest, LetsAnOperatorActForAnAccount) {
  const auto op = in([](const Call& c) { return ensure_operator(c).id; });
  account("acme");
  secret = token_of(op, {"read", "write", "pay", "operator"});
  EXPECT_EQ(call("POST", "/v1/vpcs", {{"name", "plant"}}, {{"x-account", "acme"}}).status, 201);
  EXPECT_EQ(call("GET", "/v1/vpcs/plant", {}, {{"x-account", "acme"}}).status, 200);
  EXPECT_EQ(call("GET", "/v1/vpcs/plant").status, 404);
  EXPECT_EQ(call("GET", "/v1/vpcs", {}, {{"x-account", "nobody"}}).code(), "NotFound");
}

TEST_F(ManageApiTest, SlowsDownWhoGuessesPasswords) {
  in([](const Call& c) { return create_account(c, "acme", "x"); });
  std::set<std::string> codes;
  for (int i = 0; i < 40 && !codes.contains("RateLimited"); ++i)
    codes.insert(call("GET", "/v1/vpcs").code());
  EXPECT_TRUE(codes.contains("RateLimited"));
}

TEST_F(ManageApiTest, DescribesItselfTruly) {
  const auto description = call("GET", "/v1/openapi.json").body;
  EXPECT_EQ(description.at("openapi").as_string(), "3.1.0");
  const auto& paths = description.at("paths").as_object();
  const auto& schemas = description.at("components").at("schemas").as_object();
  std::set<std::string> ids;
  std::size_t operations = 0;
  for (const auto& [path, methods] : paths)
    for (const auto& [method, operation] : methods.as_object()) {
      ++operations;
      EXPECT_TRUE(ids.insert(std::string(operation.at("operationId").as_string())).second);
      EXPECT_TRUE(operation.at("responses").as_object().contains("default"));
      std::size_t braces = 0;
      for (const char c : std::string_view(path)) braces += c == '{';
      std::size_t in_path = 0;
      if (operation.as_object().contains("parameters"))
        for (const auto& parameter : operation.at("parameters").as_array())
          in_path += parameter.at("in").as_string() == "path";
      EXPECT_EQ(in_path, braces) << std::string_view(path);
    }
  EXPECT_EQ(operations, api.router().routes().size());
  // No reference leads nowhere.
  const auto text = json::serialize(description);
  const std::string lead = "\"#\\/components\\/schemas\\/";
  const std::string plain = "\"#/components/schemas/";
  std::size_t references = 0;
  for (const auto& start : {lead, plain})
    for (std::size_t at = 0; (at = text.find(start, at)) != std::string::npos;) {
      at += start.size();
      ++references;
      EXPECT_TRUE(schemas.contains(text.substr(at, text.find('"', at) - at)));
    }
  EXPECT_GT(references, 40u);
}

}  // namespace
}  // namespace hub::api
