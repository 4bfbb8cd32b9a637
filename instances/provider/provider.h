#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_descriptor.h"
#include "instances/core/cidr.h"

// What the control plane asks of the machine: networks, processes, and a way in from outside.
//
// The control plane decides and remembers; a provider makes it so. Everything is named by the
// control plane's ids ("vpc-k3j9x2m7qa", at most 20 characters of [a-z0-9-]), and every call may be
// repeated: the ensure_ calls bring about what the specification says, whatever of it is there
// already, and remove() of what is absent succeeds. That is the whole recovery protocol: a control
// plane that was killed at any instant repeats the step that it was in, or removes by list() what
// its database does not know.

namespace hub::instances {

enum class Isolation : std::uint8_t {
  namespaces,  // each VPC and each instance has a network namespace; rules are enforced
  none,        // plain processes of this machine; addresses and rules are only written down
};

// Why a call could not be carried out, in a sentence that names the object and the operation.
class ProviderError : public std::runtime_error {
 public:
  enum class Next : std::uint8_t {
    retry,         // a later attempt of the same call may succeed: busy, no memory, timed out
    another_port,  // the public port is taken on this machine: ask again with another one
    give_up,       // the same call fails again: no such program, no privilege, bad configuration
  };
  ProviderError(Next next, const std::string& what) : std::runtime_error(what), next_(next) {}
  [[nodiscard]] Next next() const { return next_; }

 private:
  Next next_;
};

enum class ResourceKind : std::uint8_t { vpc, subnet, port, database, hub, endpoint };

struct VpcSpec {
  std::string vpc_id;
};

struct SubnetSpec {
  std::string subnet_id;
  std::string vpc_id;
  Cidr prefix;   // unique in its VPC, and in no more than that
  Ipv4 gateway;  // the subnet's router, in `prefix`: routes to the VPC's other subnets and outside
};

enum class Direction : std::uint8_t { inbound, outbound };
enum class Protocol : std::uint8_t { all, tcp, udp, icmp };

// Allows traffic of one kind. What no rule allows is dropped; what answers to allowed traffic is
// allowed.
struct TrafficRule {
  Direction direction = Direction::inbound;
  Protocol protocol = Protocol::all;
  Cidr peer = kAnywhere;        // the other end's address
  std::uint16_t from_port = 0;  // destination ports, both inclusive; 0..0 unless tcp or udp
  std::uint16_t to_port = 0;
  friend bool operator==(const TrafficRule&, const TrafficRule&) = default;
};

// The network interface of one instance; an instance has one.
struct PortSpec {
  std::string instance_id;  // also names the port
  std::string vpc_id;
  std::string subnet_id;
  Ipv4 address;  // free in the subnet: the control plane allocates
  // The union of its security groups and of the rules that its service needs. They hold for
  // traffic inside the VPC and through the public endpoint alike, where the peer is the client's
  // address as this machine saw it.
  std::vector<TrafficRule> rules;
};

struct DatabaseLimits {
  std::uint32_t max_connections = 100;
  std::uint32_t memory_mb = 1024;
  std::uint32_t storage_gb = 20;  // enforced where the file system can; see Provider::notes()
  std::uint32_t max_iops = 0;     // 0: no limit
};

// A PostgreSQL cluster of one's own, in its port's namespace.
struct DatabaseSpec {
  std::string instance_id;  // has a port
  std::uint16_t port = 5432;
  DatabaseLimits limits;
};

struct DatabaseHandle {
  // For the control plane itself: the superuser, by a Unix socket that only root and the cluster's
  // owner can open. Over TCP the cluster takes passwords (scram-sha-256) of the roles that the
  // control plane makes, and never the superuser's.
  std::string admin_url;
};

// A hub, `iothub serve --config FILE`, in its port's namespace.
struct HubSpec {
  std::string instance_id;      // has a port
  std::string configuration;    // the text of FILE; holds a password: readable by its process only
  std::uint32_t memory_mb = 0;  // 0: no limit
};

// A port of this machine that leads to a port of an instance.
struct EndpointSpec {
  std::string endpoint_id;
  std::uint16_t public_port = 0;
  std::string vpc_id;
  std::string instance_id;
  std::uint16_t instance_port = 0;
};

struct Endpoint {
  std::string host;  // as a client on another machine would name this one
  std::uint16_t port = 0;
};

struct ProcessStatus {
  enum class State : std::uint8_t {
    absent,  // never started, removed, or stopped by stop()
    running,
    waiting,  // ended by itself; its supervisor starts it again after a pause that grows
    exited,   // ended by itself, and its supervisor is gone too: an ensure_ call starts both
  };
  State state = State::absent;
  int pid = 0;  // when running
  // How often it ended by itself without having run for a minute in between: above four, it is in a
  // crash loop, and is still started again, at most every half minute.
  std::uint32_t failures_in_a_row = 0;
  std::optional<int> exit_code;    // of the last time that it ended by itself
  std::optional<int> exit_signal;  // the same, when a signal ended it
  std::string last_lines;          // the end of what it wrote to standard error, at most 4 KiB
};

// One thing that exists on this machine, running or not.
struct Owned {
  ResourceKind kind = ResourceKind::vpc;
  std::string id;
  friend bool operator==(const Owned&, const Owned&) = default;
};

struct ProviderOptions {
  // At most 8 characters of [a-z0-9]; in the name of every namespace, interface, table and
  // directory, so that two control planes on one machine do not see each other's.
  std::string installation = "iothub";
  std::filesystem::path data_dir;  // absolute; one folder per database and per hub is made in it
  std::filesystem::path program;   // the iothub executable
  std::string public_host;         // empty: this machine's host name
};

// Thread-safe: calls for different ids may run at the same time, calls for one id are serialised by
// the provider. Every call blocks, and none longer than a minute. All but list(), status(),
// storage_bytes() and notes() throw ProviderError; what they had done before it stays, and is found
// by the next attempt.
class Provider {
 public:
  virtual ~Provider() = default;

  [[nodiscard]] virtual Isolation isolation() const = 0;
  // What this provider cannot do on this machine, each in a sentence for its operator: shown at
  // start ("storage quotas need XFS project quotas; /var/lib/iothub is ext4").
  [[nodiscard]] virtual std::vector<std::string> notes() const = 0;

  virtual void ensure_vpc(const VpcSpec& spec) = 0;

  // Requires its VPC.
  virtual void ensure_subnet(const SubnetSpec& spec) = 0;

  // Requires its subnet. The rules replace those of an earlier call in one step: no packet meets
  // half of them. Returns the address at which other instances of the VPC reach this one: the
  // given one, except without isolation, where each instance has a loopback address of its own.
  virtual Ipv4 ensure_port(const PortSpec& spec) = 0;

  // Requires its port. Makes the cluster if its folder is empty, starts it if it does not run, and
  // returns when it accepts connections; the control plane's death does not stop it. Other limits
  // than those that it runs with restart it.
  virtual DatabaseHandle ensure_database(const DatabaseSpec& spec) = 0;

  // Writes one database of a running cluster to a file, and reads it back into an empty database.
  virtual void backup_database(const std::string& instance_id, const std::string& database,
                               const std::filesystem::path& file) = 0;
  virtual void restore_database(const std::string& instance_id, const std::string& database,
                                const std::filesystem::path& file) = 0;

  // Requires its port. Starts the process if none runs, and restarts it (SIGTERM, then SIGKILL)
  // when it runs with another configuration. Returns when the process exists; whether it serves is
  // for the caller to find by dial(). The control plane's death does not stop it.
  virtual void ensure_hub(const HubSpec& spec) = 0;

  // Ends the process of a database or a hub and waits for it; its folder and its port stay.
  virtual void stop(const std::string& instance_id, std::chrono::seconds grace) = 0;

  // Each process has a supervisor, which outlives the control plane and starts it again when it
  // ends by itself. The id is that of a database, a hub or an endpoint.
  [[nodiscard]] virtual ProcessStatus status(const std::string& id) const = 0;

  // What the folder of a database takes on disk; 0 when there is none. Cost: a walk through it.
  [[nodiscard]] virtual std::uint64_t storage_bytes(const std::string& instance_id) const = 0;

  // Requires the instance's port. Returns the public address that leads to it.
  virtual Endpoint ensure_endpoint(const EndpointSpec& spec) = 0;

  // Connects to a TCP port of an instance from inside its own namespace, so that no traffic rule is
  // in the way. The descriptor is blocking, and works in any namespace.
  virtual FileDescriptor dial(const std::string& instance_id, std::uint16_t tcp_port,
                              std::chrono::milliseconds timeout) = 0;

  // Removes one thing: a database or a hub with its process and its folder, a VPC with whatever is
  // left in it.
  virtual void remove(ResourceKind kind, const std::string& id) = 0;

  // Everything of this installation that exists, found on the machine itself and not from memory.
  [[nodiscard]] virtual std::vector<Owned> list() const = 0;
};

}  // namespace hub::instances
