#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "instances/provider/cgroups.h"
#include "instances/provider/database_cluster.h"
#include "instances/provider/instance_folders.h"
#include "instances/provider/provider.h"
#include "instances/provider/unit.h"

namespace hub::instances {

// Where in the network a process is put.
struct Placement {
  std::filesystem::path network_namespace;  // empty: the machine's own
  Ipv4 address;
};

// The processes of databases, hubs and endpoints, and their files; the same with network isolation
// and without. Calls for one id are serialised by the caller; calls for different ids are not.
class InstanceProcesses {
 public:
  // Throws ProviderError when a program is missing, or the data directory is of no use.
  explicit InstanceProcesses(const ProviderOptions& options);

  [[nodiscard]] std::vector<std::string> notes() const;

  [[nodiscard]] DatabaseHandle ensure_database(const DatabaseSpec& spec, const Placement& at);
  void backup_database(const std::string& instance_id, const std::string& database,
                       const std::filesystem::path& file) const;
  void restore_database(const std::string& instance_id, const std::string& database,
                        const std::filesystem::path& file) const;

  void ensure_hub(const HubSpec& spec, const Placement& at);

  // `at` is where the forwarder connects from, and the address that it connects to.
  [[nodiscard]] Endpoint ensure_endpoint(const EndpointSpec& spec, const Placement& at);

  void stop(const std::string& id, std::chrono::milliseconds grace) const;
  [[nodiscard]] ProcessStatus status(const std::string& id) const;
  [[nodiscard]] std::uint64_t storage_bytes(const std::string& id) const;

  // Ends the process, and removes its files and limits.
  void remove(ResourceKind kind, const std::string& id) const;

  [[nodiscard]] std::vector<Owned> list() const { return folders_.list(); }
  [[nodiscard]] std::vector<std::string> endpoints_of_vpc(const std::string& vpc_id) const;

  [[nodiscard]] const std::filesystem::path& data_dir() const { return folders_.data_dir(); }

 private:
  [[nodiscard]] UnitSpec unit_spec(const InstanceFolder& folder, const Placement& at) const;
  [[nodiscard]] static Unit unit(const InstanceFolder& folder) { return Unit(folder.keeper()); }
  [[nodiscard]] DatabaseCluster database(const std::string& instance_id) const;

  ProviderOptions options_;
  InstanceFolders folders_;
  Cgroups cgroups_;
  std::filesystem::path keeper_, forwarder_;
};

// Connects to a TCP port within the time; throws ProviderError.
void connect_within(const FileDescriptor& socket, Ipv4 address, std::uint16_t port,
                    std::chrono::milliseconds timeout);

}  // namespace hub::instances
