#pragma once

#include <string>
#include <utility>

#include "instances/provider/instance_processes.h"
#include "instances/provider/keyed_locks.h"
#include "instances/provider/provider.h"

namespace hub::instances {

// What providers with and without isolation have in common: all that is not the network.
class BasicProvider : public Provider {
 public:
  explicit BasicProvider(const ProviderOptions& options);

  DatabaseHandle ensure_database(const DatabaseSpec& spec) override;
  void backup_database(const std::string& instance_id, const std::string& database,
                       const std::filesystem::path& file) override;
  void restore_database(const std::string& instance_id, const std::string& database,
                        const std::filesystem::path& file) override;
  void ensure_hub(const HubSpec& spec) override;
  void stop(const std::string& instance_id, std::chrono::seconds grace) override;
  [[nodiscard]] ProcessStatus status(const std::string& id) const override;
  [[nodiscard]] std::uint64_t storage_bytes(const std::string& instance_id) const override;
  Endpoint ensure_endpoint(const EndpointSpec& spec) override;

 protected:
  // Where an instance's processes go; throws when it has no port.
  [[nodiscard]] virtual Placement place(const std::string& instance_id) const = 0;

  // Where an endpoint's forwarder goes, and which address it connects to.
  [[nodiscard]] virtual Placement place_forwarder(const EndpointSpec& spec) const = 0;

  // Runs `call` while no other call for the id runs, and turns what the file system says into a
  // ProviderError.
  template <class Call>
  auto exclusively(const std::string& id, Call&& call) {
    check_id(id);
    const auto held = locks_.lock(id);
    try {
      return std::forward<Call>(call)();
    } catch (const std::system_error& error) {
      throw ProviderError(ProviderError::Next::retry, id + ": " + error.what());
    }
  }

  InstanceProcesses processes_;

 private:
  // Ids become names of files and interfaces.
  static void check_id(const std::string& id);

  KeyedLocks locks_;
};

}  // namespace hub::instances
