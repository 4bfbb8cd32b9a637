#include "instances/provider/instance_processes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "instances/provider/fingerprint.h"
#include "instances/provider/program.h"

namespace hub::instances {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using Next = ProviderError::Next;

constexpr auto kRestartGrace = std::chrono::seconds(20);
constexpr auto kDatabaseStartsWithin = std::chrono::seconds(30);
constexpr int kBacklog = 4096;

// Beside the running program or the hub's, or where packages put what only programs call.
fs::path require_own_program(const std::string& name, const fs::path& hub_program) {
  const auto here = fs::read_symlink("/proc/self/exe").parent_path();
  for (const auto& folder : {here, hub_program.parent_path(), fs::path("/usr/libexec/iothub"),
                             fs::path("/usr/lib/iothub")})
    if (find_program((folder / name).string())) return folder / name;
  throw ProviderError(Next::give_up,
                      fmt::format("{} is not installed: it belongs beside {}", name,
                                  hub_program.empty() ? here.string() : hub_program.string()));
}

std::string fingerprint_of(const UnitSpec& spec, std::string_view configuration) {
  auto hash = stable_hash(configuration);
  for (const auto& word : to_arguments(spec)) hash = stable_hash(word, stable_hash("\n", hash));
  // A namespace that was made anew under the same name is another one.
  struct stat stat{};
  if (!spec.network_namespace.empty() && ::stat(spec.network_namespace.c_str(), &stat) == 0)
    hash = stable_hash(std::to_string(stat.st_ino), hash);
  return fmt::format("{:016x}", hash);
}

sockaddr_in socket_address(Ipv4 address, std::uint16_t port) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_addr.s_addr = htonl(address.bits);
  result.sin_port = htons(port);
  return result;
}

FileDescriptor listen_on(std::uint16_t port) {
  FileDescriptor listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const auto address = socket_address({INADDR_ANY}, port);
  if (listener &&
      ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      ::listen(listener.get(), kBacklog) == 0)
    return listener;
  const auto next = errno == EADDRINUSE ? Next::another_port
                    : errno == EACCES   ? Next::give_up
                                        : Next::retry;
  throw ProviderError(next, fmt::format("public port {}: {}", port, std::strerror(errno)));
}

std::string host_name(const std::string& configured) {
  if (!configured.empty()) return configured;
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

}  // namespace

InstanceProcesses::InstanceProcesses(const ProviderOptions& options)
    : options_(options),
      folders_(options.data_dir),
      cgroups_("/sys/fs/cgroup", options.installation),
      keeper_(require_own_program("iothub-keeper", options.program)),
      forwarder_(require_own_program("iothub-forwarder", options.program)) {}

std::vector<std::string> InstanceProcesses::notes() const {
  std::vector<std::string> notes;
  if (!cgroups_.can_limit_memory())
    notes.emplace_back(
        "memory limits are not enforced: no writable memory cgroup in /sys/fs/cgroup");
  if (!cgroups_.can_limit_iops())
    notes.emplace_back("limits of disk operations are not enforced: no writable io cgroup");
  notes.emplace_back("storage limits of databases are not enforced, only measured");
  return notes;
}

UnitSpec InstanceProcesses::unit_spec(const InstanceFolder& folder, const Placement& at) const {
  UnitSpec spec;
  spec.folder = folder.keeper();
  spec.network_namespace = at.network_namespace;
  return spec;
}

DatabaseCluster InstanceProcesses::database(const std::string& instance_id) const {
  return DatabaseCluster(folders_.of(ResourceKind::database, instance_id));
}

DatabaseHandle InstanceProcesses::ensure_database(const DatabaseSpec& spec, const Placement& at) {
  const auto folder = folders_.of(ResourceKind::database, spec.instance_id);
  const DatabaseCluster cluster(folder);
  auto started = unit_spec(folder, at);
  started.user = folders_.ensure(folder);
  cluster.create_if_missing(started.user);
  started.working_directory = folder.home();
  started.stop_signal = SIGINT;  // a fast shutdown: clients are cut off, nothing is lost
  started.cgroups = cgroups_.ensure(spec.instance_id,
                                    {spec.limits.memory_mb, spec.limits.max_iops, folder.home()});
  started.command = cluster.command();
  started.fingerprint = fingerprint_of(started, cluster.settings(spec, at.address));
  const auto kept = unit(folder);
  if (kept.fingerprint() != started.fingerprint) {
    kept.stop(kRestartGrace);
    cluster.configure(spec, at.address);
    kept.start(started, keeper_);
  }
  cluster.wait_until_ready(kept, Clock::now() + kDatabaseStartsWithin);
  return {cluster.admin_url(spec.port)};
}

void InstanceProcesses::backup_database(const std::string& instance_id, const std::string& name,
                                        const fs::path& file) const {
  database(instance_id).backup(name, file);
}

void InstanceProcesses::restore_database(const std::string& instance_id, const std::string& name,
                                         const fs::path& file) const {
  database(instance_id).restore(name, file);
}

void InstanceProcesses::ensure_hub(const HubSpec& spec, const Placement& at) {
  const auto program = find_program(options_.program.string());
  if (!program) throw ProviderError(Next::give_up, "no program " + options_.program.string());
  const auto folder = folders_.of(ResourceKind::hub, spec.instance_id);
  const auto configuration = folder.path / "hub.toml";
  auto started = unit_spec(folder, at);
  started.user = folders_.ensure(folder);
  started.working_directory = folder.home();
  started.cgroups = cgroups_.ensure(spec.instance_id, {spec.memory_mb, 0, {}});
  started.command = {program->string(), "serve", "--config", configuration.string()};
  started.fingerprint = fingerprint_of(started, spec.configuration);
  const auto kept = unit(folder);
  if (kept.fingerprint() == started.fingerprint) return;
  kept.stop(kRestartGrace);
  // Root's, and readable by the group that only this hub's user is in.
  replace_file(configuration, spec.configuration, started.user == 0 ? 0600 : 0640);
  if (started.user != 0 && ::chown(configuration.c_str(), 0, started.user) != 0)
    throw ProviderError(Next::retry,
                        fmt::format("{}: {}", configuration.string(), std::strerror(errno)));
  kept.start(started, keeper_);
}

Endpoint InstanceProcesses::ensure_endpoint(const EndpointSpec& spec, const Placement& at) {
  const auto folder = folders_.of(ResourceKind::endpoint, spec.endpoint_id);
  fs::create_directories(folder.path);
  replace_file(folder.path / "vpc", spec.vpc_id, 0600);
  auto started = unit_spec(folder, at);
  started.has_listener = true;
  started.command = {forwarder_.string(),
                     fmt::format("{}:{}", at.address.to_string(), spec.instance_port)};
  if (!at.network_namespace.empty()) {
    // It drops root's powers by itself, but for the one that it needs.
    started.command.emplace_back("--transparent");
    started.command.emplace_back("--user");
    started.command.push_back(std::to_string(folders_.forwarder_user()));
  }
  started.fingerprint = fingerprint_of(started, std::to_string(spec.public_port));
  const auto kept = unit(folder);
  if (kept.fingerprint() != started.fingerprint) {
    kept.stop(kRestartGrace);
    kept.start(started, keeper_, listen_on(spec.public_port).get());
  }
  return {host_name(options_.public_host), spec.public_port};
}

void InstanceProcesses::stop(const std::string& id, std::chrono::milliseconds grace) const {
  if (const auto found = folders_.find(id)) unit(folders_.of(found->kind, id)).stop(grace);
}

ProcessStatus InstanceProcesses::status(const std::string& id) const {
  const auto found = folders_.find(id);
  return found ? unit(folders_.of(found->kind, id)).status() : ProcessStatus{};
}

std::uint64_t InstanceProcesses::storage_bytes(const std::string& id) const {
  return database(id).storage_bytes();
}

void InstanceProcesses::remove(ResourceKind kind, const std::string& id) const {
  const auto folder = folders_.of(kind, id);
  unit(folder).stop(kRestartGrace);
  if (kind != ResourceKind::endpoint) cgroups_.remove(id);
  folders_.remove(folder);
}

std::vector<std::string> InstanceProcesses::endpoints_of_vpc(const std::string& vpc_id) const {
  std::vector<std::string> ids;
  for (const auto& [kind, id] : list())
    if (kind == ResourceKind::endpoint && read_file(folders_.of(kind, id).path / "vpc") == vpc_id)
      ids.push_back(id);
  return ids;
}

void connect_within(const FileDescriptor& socket, Ipv4 address, std::uint16_t port,
                    std::chrono::milliseconds timeout) {
  const auto fail = [&](int error) {
    throw ProviderError(Next::retry,
                        fmt::format("{}:{}: {}", address.to_string(), port, std::strerror(error)));
  };
  const auto target = socket_address(address, port);
  ::fcntl(socket.get(), F_SETFL, O_NONBLOCK);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&target), sizeof target) != 0) {
    if (errno != EINPROGRESS) fail(errno);
    pollfd polled{socket.get(), POLLOUT, 0};
    if (::poll(&polled, 1, static_cast<int>(timeout.count())) != 1) fail(ETIMEDOUT);
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) fail(error);
  }
  ::fcntl(socket.get(), F_SETFL, 0);
}

}  // namespace hub::instances
