#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "instances/provider/instance_folders.h"
#include "instances/provider/provider.h"
#include "instances/provider/unit.h"

namespace hub::instances {

// The files of one database instance, and the programs run on them:
//
//   home/cluster       the PostgreSQL cluster
//   home/.s.PGSQL.…    its Unix socket: root and the cluster's user can open it, nobody else
//   postgresql.conf    written anew at every start, from the limits
//   pg_hba.conf        who may connect: the superuser by the socket, all others by a password
class DatabaseCluster {
 public:
  explicit DatabaseCluster(InstanceFolder folder) : folder_(std::move(folder)) {}

  // Makes the cluster when there is none: all of it, or nothing when killed meanwhile.
  void create_if_missing(uid_t user) const;

  // What starts the server.
  [[nodiscard]] std::vector<std::string> command() const;

  void configure(const DatabaseSpec& spec, Ipv4 address) const;

  // What configure() writes.
  [[nodiscard]] std::string settings(const DatabaseSpec& spec, Ipv4 address) const;

  // Returns when the server accepts connections. Throws ProviderError, with the end of its log,
  // when it ends instead, or does not do so in time.
  void wait_until_ready(const Unit& unit, std::chrono::steady_clock::time_point deadline) const;

  [[nodiscard]] std::string admin_url(std::uint16_t port) const;

  void backup(const std::string& database, const std::filesystem::path& file) const;
  void restore(const std::string& database, const std::filesystem::path& file) const;

  [[nodiscard]] std::uint64_t storage_bytes() const;

 private:
  [[nodiscard]] std::filesystem::path cluster() const { return folder_.home() / "cluster"; }
  [[nodiscard]] std::filesystem::path settings_file() const {
    return folder_.path / "postgresql.conf";
  }
  [[nodiscard]] std::filesystem::path access_file() const { return folder_.path / "pg_hba.conf"; }
  [[nodiscard]] std::filesystem::path program(const std::string& name) const;
  [[nodiscard]] std::vector<std::string> client(const std::string& name) const;

  InstanceFolder folder_;
};

}  // namespace hub::instances
