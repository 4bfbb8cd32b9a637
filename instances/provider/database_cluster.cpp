#include "instances/provider/database_cluster.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <thread>

#include "instances/provider/program.h"
#include "instances/provider/unit_files.h"
#include "storage/embedded_cluster_files.h"
#include "storage/postgres_installation.h"

namespace hub::instances {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using Next = ProviderError::Next;

constexpr auto kSuperuser = "postgres";
constexpr auto kBackupTakesAtMost = std::chrono::hours(24);
constexpr auto kInitdbTakesAtMost = std::chrono::seconds(50);
constexpr auto kReadinessPause = std::chrono::milliseconds(20);

// As the cluster's users see it, the superuser does not exist.
constexpr auto kAccessRules =
    "local all postgres trust\n"
    "local replication postgres trust\n"
    "host all postgres 0.0.0.0/0 reject\n"
    "host all all 0.0.0.0/0 scram-sha-256\n";

// initdb asks for the name of the user that runs it, and an instance's user has none. It and what
// it starts are the processes of a namespace, and so end together when this process is killed.
std::vector<std::string> as_named_user(uid_t user) {
  if (user == 0) return {};
  const auto* name = ::getpwnam("postgres") != nullptr ? "postgres" : "nobody";
  const auto* entry = ::getpwnam(name);
  return {"unshare",
          "--pid",
          "--fork",
          "--kill-child=KILL",
          "--",
          "setpriv",
          fmt::format("--reuid={}", entry->pw_uid),
          fmt::format("--regid={}", entry->pw_gid),
          "--clear-groups",
          "--pdeathsig=KILL",
          "--"};
}

uid_t named_user(uid_t user) {
  if (user == 0) return 0;
  const auto* entry = ::getpwnam("postgres");
  return entry != nullptr ? entry->pw_uid : ::getpwnam("nobody")->pw_uid;
}

void sync_file(const fs::path& path) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file || ::fsync(file.get()) != 0)
    throw ProviderError(Next::retry,
                        fmt::format("writing {}: {}", path.string(), std::strerror(errno)));
}

int major_version(const fs::path& cluster) {
  const auto text = read_file(cluster / "PG_VERSION").value_or("");
  int version = 0;
  std::from_chars(text.data(), text.data() + text.size(), version);
  return version;
}

}  // namespace

fs::path DatabaseCluster::program(const std::string& name) const {
  try {
    const auto version = major_version(cluster());
    const auto chosen = storage::choose_installation(
        storage::PostgresInstallation::find_all(),
        version == 0 ? std::nullopt : std::optional(version), cluster());
    return chosen.programs / name;
  } catch (const storage::EmbeddedDatabaseError& error) {
    throw ProviderError(Next::give_up, error.what());
  }
}

void DatabaseCluster::create_if_missing(uid_t user) const {
  if (fs::exists(cluster())) return;
  if (!storage::fits_socket_path(folder_.home()))
    throw ProviderError(Next::give_up,
                        folder_.home().string() +
                            " cannot hold the database's socket: choose a data directory with a "
                            "shorter path, of letters, digits and /._- only");
  const auto workshop = folder_.path / "initdb";
  remove_folder(workshop);
  fs::create_directory(workshop);
  if (user != 0) give_to(workshop, named_user(user));
  auto command = as_named_user(user);
  for (auto word : {program("initdb").string(), "--pgdata=" + (workshop / "cluster").string(),
                    fmt::format("--username={}", kSuperuser), std::string("--encoding=UTF8"),
                    std::string("--locale=C.UTF-8"), std::string("--auth-local=trust"),
                    std::string("--auth-host=scram-sha-256"), std::string("--no-instructions")})
    command.push_back(std::move(word));
  require_program({std::move(command), {}, kInitdbTakesAtMost},
                  "making the database " + folder_.path.string());
  if (user != 0) give_to(workshop / "cluster", user);
  fs::rename(workshop / "cluster", cluster());
  remove_folder(workshop);
}

std::string DatabaseCluster::settings(const DatabaseSpec& spec, Ipv4 address) const {
  const auto& limits = spec.limits;
  const std::uint64_t memory_mb = limits.memory_mb;
  const std::uint64_t storage_mb = std::uint64_t{limits.storage_gb} * 1024;
  return fmt::format(
      R"(# Written by the control plane at every start: a change here is lost.
data_directory = '{cluster}'
hba_file = '{access}'
listen_addresses = '{address}'
port = {port}
unix_socket_directories = '{home}'
# The control plane's own connections are the ones that are reserved.
max_connections = {connections}
superuser_reserved_connections = 3
password_encryption = 'scram-sha-256'
shared_buffers = {buffers}MB
effective_cache_size = {cache}MB
work_mem = {work}kB
maintenance_work_mem = {maintenance}MB
max_wal_size = {wal}MB
min_wal_size = 80MB
temp_file_limit = {temporary}MB
fsync = on
synchronous_commit = on
full_page_writes = on
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
log_checkpoints = off
log_line_prefix = '%m [%p] '
)",
      fmt::arg("cluster", cluster().string()), fmt::arg("access", access_file().string()),
      fmt::arg("address", address.to_string()), fmt::arg("port", spec.port),
      fmt::arg("home", folder_.home().string()),
      fmt::arg("connections", limits.max_connections + 3),
      fmt::arg("buffers", std::clamp<std::uint64_t>(memory_mb / 4, 16, 16'384)),
      fmt::arg("cache", std::max<std::uint64_t>(memory_mb * 3 / 4, 16)),
      fmt::arg("work",
               std::clamp<std::uint64_t>(
                   memory_mb * 1024 / (4 * std::max(1U, limits.max_connections)), 1024, 65'536)),
      fmt::arg("maintenance", std::clamp<std::uint64_t>(memory_mb / 16, 16, 1024)),
      fmt::arg("wal", std::clamp<std::uint64_t>(storage_mb / 20, 128, 4096)),
      fmt::arg("temporary", std::max<std::uint64_t>(storage_mb / 4, 64)));
}

std::vector<std::string> DatabaseCluster::command() const {
  return {program("postgres").string(), "-D", cluster().string(), "-c",
          "config_file=" + settings_file().string()};
}

void DatabaseCluster::configure(const DatabaseSpec& spec, Ipv4 address) const {
  replace_file(settings_file(), settings(spec, address), 0644);
  replace_file(access_file(), kAccessRules, 0644);
}

void DatabaseCluster::wait_until_ready(const Unit& unit, Clock::time_point deadline) const {
  using State = ProcessStatus::State;
  for (;;) {
    const auto status = unit.status();
    if (status.state != State::running)
      throw ProviderError(Next::retry, "the database ended while it started: " + status.last_lines);
    const auto server = storage::server_state(read_file(cluster() / "postmaster.pid").value_or(""));
    if (server.pid == status.pid && server.ready) return;
    if (Clock::now() > deadline)
      throw ProviderError(Next::retry, "the database is still starting: " + status.last_lines);
    std::this_thread::sleep_for(kReadinessPause);
  }
}

std::string DatabaseCluster::admin_url(std::uint16_t port) const {
  return fmt::format("postgresql:///postgres?host={}&port={}&user={}", folder_.home().string(),
                     port, kSuperuser);
}

std::vector<std::string> DatabaseCluster::client(const std::string& name) const {
  // The fourth line of postmaster.pid is the port of the running server.
  std::string port;
  auto lines = read_file(cluster() / "postmaster.pid").value_or("");
  for (int line = 1; line < 4 && !lines.empty(); ++line) lines.erase(0, lines.find('\n') + 1);
  port = lines.substr(0, lines.find('\n'));
  if (port.empty())
    throw ProviderError(Next::retry, "the database in " + folder_.path.string() + " is stopped");
  return {program(name).string(), "--host=" + folder_.home().string(), "--port=" + port,
          fmt::format("--username={}", kSuperuser), "--no-password"};
}

void DatabaseCluster::backup(const std::string& database, const fs::path& file) const {
  auto unfinished = file;
  unfinished += ".unfinished";
  auto command = client("pg_dump");
  for (auto word :
       {std::string("--format=custom"), "--file=" + unfinished.string(), "--dbname=" + database})
    command.push_back(std::move(word));
  try {
    replace_file(unfinished, "", 0600);
    require_program({std::move(command), {}, kBackupTakesAtMost}, "backup of " + database);
    sync_file(unfinished);
    fs::rename(unfinished, file);
    sync_file(file.parent_path());
  } catch (const std::system_error& error) {
    throw ProviderError(Next::give_up,
                        fmt::format("backup to {}: {}", file.string(), error.what()));
  } catch (const ProviderError&) {
    std::error_code ignored;
    fs::remove(unfinished, ignored);
    throw;
  }
}

void DatabaseCluster::restore(const std::string& database, const fs::path& file) const {
  auto ask = client("psql");
  for (auto word :
       {std::string("--no-psqlrc"), std::string("--tuples-only"), std::string("--no-align"),
        std::string("--dbname=postgres"), "--set=database=" + database, std::string("--file=-")})
    ask.push_back(std::move(word));
  auto owner = require_program(
      {std::move(ask),
       "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = :'database';\n"},
      "restore of " + database);
  if (!owner.empty()) owner.pop_back();
  if (owner.empty()) throw ProviderError(Next::give_up, "there is no database " + database);

  auto command = client("pg_restore");
  for (auto word : {std::string("--exit-on-error"), std::string("--single-transaction"),
                    std::string("--no-owner"), std::string("--no-privileges"), "--role=" + owner,
                    "--dbname=" + database, file.string()})
    command.push_back(std::move(word));
  require_program({std::move(command), {}, kBackupTakesAtMost}, "restore of " + database);
}

std::uint64_t DatabaseCluster::storage_bytes() const {
  // A folder that goes while it is walked through ends the walk: then it is walked again.
  for (int attempt = 1;; ++attempt) {
    std::uint64_t bytes = 0;
    std::error_code error;
    fs::recursive_directory_iterator entry(folder_.home(), error);
    for (const fs::recursive_directory_iterator end; !error && entry != end;
         entry.increment(error)) {
      std::error_code gone;
      const auto size = entry->is_regular_file(gone) ? entry->file_size(gone) : 0;
      if (!gone) bytes += size;
    }
    if (!error || attempt == 3) return bytes;
  }
}

}  // namespace hub::instances
