#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "manage/client.h"
#include "manage/console.h"
#include "manage/serve.h"

namespace CLI {
class App;
}

// What the parts of the command line of `iothub manage` share.
namespace hub::manage::cli {

// The options of one call; each is read by the commands that have it.
struct Options {
  std::string api, token, account;
  std::string ref, name, cidr, vpc, subnet, rds, region, zone, description, klass = "1c1g";
  std::string source, engine = "postgresql", charge = "configuration", admin, url, file, coupon,
                      reason;
  std::string amount, reference, direction = "inbound", protocol = "tcp", rule, resource;
  std::string subject, number, details;
  std::vector<std::string> groups, scopes{"read"};
  std::int64_t storage = 20, months = 0, port = 0, to_port = 0, shards = 0, devices = 0,
               messages = -1, days = 30, value = 0;
  bool personal = false, enterprise = false, ask_password = false, off = false;
  Console console;
  ServeOptions serve;
  std::function<int(Options&)> run;
};

using Command = std::function<void(Client&, Options&)>;

// A command that is a client of the API.
CLI::App* add(CLI::App& parent, Options& options, const char* name, const char* help,
              Command command);
// A word that commands follow.
CLI::App* group(CLI::App& app, const char* name, const char* help);
// `list` and `show` of a kind of thing; `delete` of it.
void add_listing(CLI::App& parent, Options& options, const std::string& kind);
void add_deletion(CLI::App& parent, Options& options, const std::string& kind);

// The fields of a body that were given.
[[nodiscard]] boost::json::object given(
    std::initializer_list<std::pair<const char*, std::string>> fields);

// Who buys, and what it costs: cli_accounts.cpp.
void add_accounts(CLI::App& app, Options& options);
void add_tokens(CLI::App& app, Options& options);
void add_wallet(CLI::App& app, Options& options);
void add_orders(CLI::App& app, Options& options);

// What is made on the machine: cli_instances.cpp.
void add_networks(CLI::App& app, Options& options);
void add_rds(CLI::App& app, Options& options);
void add_hubs(CLI::App& app, Options& options);

}  // namespace hub::manage::cli
