#pragma once

#include <gtest/gtest.h>

#include <boost/json/object.hpp>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "instances/provider/provider.h"
#include "tests/instances/provider/machine.h"
#include "tests/support/program.h"

namespace hub::test {

// A network of the calling thread's own, and of the programs that it starts: ports and names are
// free in it. Throws std::runtime_error unless root asks.
void leave_the_machines_network();

// `iothub manage serve` of the build that the test is of, in network namespaces, and the command
// line that speaks to it. Calls throw std::runtime_error with all that a program wrote when it does
// not do what it is to do.
class ControlPlaneProcess {
 public:
  // Requires leave_the_machines_network(). Starts it, with a folder and names of its own, and these
  // flags besides.
  explicit ControlPlaneProcess(std::vector<std::string> flags = {});
  ~ControlPlaneProcess();  // ends it, and removes whatever is left of its instances

  void stop();
  void kill();
  void start();

  // `iothub manage …` by the operator, in the account's name unless that is empty.
  [[nodiscard]] Outcome call(const std::string& account, std::vector<std::string> arguments) const;
  // The same while the test goes on.
  [[nodiscard]] std::unique_ptr<RunningProgram> begin(const std::string& account,
                                                      std::vector<std::string> arguments) const;
  // What it wrote; throws unless it succeeded.
  std::string done(const std::string& account, const std::vector<std::string>& arguments) const;
  // Of a kind ("hub", "order", …).
  [[nodiscard]] std::vector<boost::json::object> list(const std::string& account,
                                                      const std::string& kind) const;
  // The account's only one of its kind; empty when it has none.
  [[nodiscard]] boost::json::object only(const std::string& account, const std::string& kind) const;

  // An account, verified and with money, that has a network with the same addresses as any other's,
  // and a database in it, which is not initialised.
  void make_account(const std::string& name, const std::string& identity) const;
  [[nodiscard]] static std::vector<std::string> create_hub();  // the arguments
  void remove_account(const std::string& name) const;

  [[nodiscard]] std::uint16_t public_port(const std::string& account) const;
  // SQL on the account's database, by its superuser; and on the control plane's own.
  std::string query(const std::string& account, const std::string& sql) const;
  [[nodiscard]] std::string query_records(const std::string& sql) const;

  // Ends the hub's process as a crash would; its keeper starts it again.
  void kill_hub(const std::string& account) const;

  [[nodiscard]] std::string namespace_of(const std::string& instance_id) const;
  // What is there on this machine of the instances: "namespace …", "processes in …", "link …" by
  // the id of what it belongs to, "folder hubs/…", "process of hubs/…".
  [[nodiscard]] std::set<std::string> on_machine() const;
  // Namespaces, processes, files, cgroups, and interfaces and rules in the machine's own namespace;
  // one line each.
  [[nodiscard]] std::vector<std::string> left_behind() const;

 private:
  [[nodiscard]] static std::string program();
  [[nodiscard]] std::filesystem::path folder() const { return data_.path() / "manage"; }
  [[nodiscard]] RunOptions environment(const std::string& account) const;
  [[nodiscard]] instances::ProviderOptions provider_options() const;

  instances::testing::DataFolder data_;
  std::string installation_;
  std::vector<std::string> flags_;
  std::unique_ptr<RunningProgram> serve_;
};

[[nodiscard]] std::string text_in(const boost::json::object& object, const char* name);

[[nodiscard]] std::int64_t number_in(const boost::json::object& object, const char* name);

// Publishes one message at QoS 1 to a hub whose built-in rule stores it. True when the hub
// acknowledges it, which it does when the row is committed; a failure says why not.
[[nodiscard]] ::testing::AssertionResult publish(
    std::uint16_t port, const std::string& device,
    const std::string& payload = R"({"temperature": 21})");

}  // namespace hub::test
