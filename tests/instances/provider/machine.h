#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include "instances/provider/network.h"
#include "instances/provider/provider.h"
#include "tests/support/program.h"

// A machine of a test's own: the test's thread, and so the provider and all that it starts, lives
// in a network namespace that stands for the host's, and a client lives in another one that stands
// for the world outside. Public ports are free in it, whatever else runs on this machine.

namespace hub::instances::testing {

inline constexpr auto kHostAddress = "192.0.2.1";
inline constexpr auto kClientAddress = "192.0.2.2";

using test::eventually;

// A temporary folder that users of instances can pass through.
class DataFolder {
 public:
  DataFolder();
  ~DataFolder();
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Sockets in a namespace; an empty name is the calling thread's own.
[[nodiscard]] FileDescriptor listen_in(const std::string& name, std::uint16_t port);
struct Connected {
  FileDescriptor socket;
  int error = 0;  // of connect(2); ETIMEDOUT after two seconds
};
[[nodiscard]] Connected connect_from(const std::string& name, const std::string& address,
                                     std::uint16_t port);
// Up to the next end of line; what came until then when the connection ends or is reset.
std::string read_line(const FileDescriptor& socket);
// Whether what is sent comes back.
[[nodiscard]] bool echoes(const FileDescriptor& socket);
[[nodiscard]] bool can_ping(const std::string& name, const std::string& address);

[[nodiscard]] bool is_running(int pid);

// Processes whose command line names the folder, or that are in one of the installation's
// namespaces.
[[nodiscard]] std::vector<int> processes_of(const ProviderOptions& options);

class Machine : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;  // removes everything, and fails when anything is left

  // A control plane that starts again: what the old one had made stays.
  void restart_provider();
  void remove_everything();
  void expect_nothing_is_left() const;

  // "vpc-a" with 10.1.0.0/16 and one subnet, "subnet-a" with 10.1.1.0/24.
  void make_vpc(const std::string& letter, const std::string& prefix = "10.1.1.0/24");
  // A port in that subnet.
  void make_port(const std::string& instance_id, const std::string& letter,
                 const std::string& address, std::vector<TrafficRule> rules);
  // A hub that greets and echoes on port 1883.
  void make_hub(const std::string& instance_id, const std::string& greeting);
  Endpoint make_endpoint(const std::string& letter, const std::string& instance_id,
                         std::uint16_t public_port);

  [[nodiscard]] std::string port_namespace(const std::string& instance_id) const;
  // What a client in a namespace hears first; empty when it hears nothing.
  [[nodiscard]] std::string greeting_for(const std::string& name, const std::string& address,
                                         std::uint16_t port) const;

  DataFolder data_;
  ProviderOptions options_;
  std::string client_;  // the namespace of the world outside
  std::unique_ptr<Provider> provider_;
};

[[nodiscard]] TrafficRule allow(Direction direction, Protocol protocol, std::uint16_t from = 0,
                                std::uint16_t to = 0, const std::string& peer = "0.0.0.0/0");
// Everything, both ways.
[[nodiscard]] std::vector<TrafficRule> allow_all();

}  // namespace hub::instances::testing
