#include "storage/embedded_cluster_files.h"

#include <fmt/format.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace hub::storage {
namespace {

constexpr std::string_view kWritten =
    "# Written by iothub at every start: a change here is lost.\n";

// An eighth of a gigabyte suits a board with 2 GiB; more than half a gigabyte buys ingest nothing.
std::uint64_t shared_buffers_mib() {
  const auto bytes = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
                     static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return std::clamp<std::uint64_t>((bytes >> 20) / 16, 64, 512);
}

std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

std::string_view line(std::string_view text, int number) {
  for (; number > 0; --number) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  return text.substr(0, text.find('\n'));
}

}  // namespace

bool fits_socket_path(const std::filesystem::path& directory) {
  const auto& text = directory.native();
  const auto socket = fmt::format("{}/.s.PGSQL.{}", text, kEmbeddedPort);
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("/._-").find(c) != std::string_view::npos;
  };
  return socket.size() < sizeof(sockaddr_un::sun_path) &&
         std::all_of(text.begin(), text.end(), plain);
}

std::filesystem::path far_socket_directory(const std::filesystem::path& data_directory,
                                           uid_t user) {
  const auto hash = fnv1a(data_directory.native());
  return user == 0 ? fmt::format("/run/iothub-{:016x}", hash)
                   : fmt::format("/tmp/iothub-{}-{:016x}", user, hash);
}

std::string cluster_settings(const std::filesystem::path& socket_directory, int major_version) {
  return fmt::format(
      R"({}
listen_addresses = ''
unix_socket_directories = '{}'
port = {}
max_connections = 100

# An acknowledgement is a promise: these are what it rests on.
fsync = on
synchronous_commit = on
full_page_writes = on

# Ingest: few and large checkpoints, a write-ahead log that is written in few, large pieces.
shared_buffers = {}MB
wal_buffers = 16MB
wal_compression = {}
max_wal_size = 2GB
min_wal_size = 256MB
checkpoint_timeout = 15min
jit = off

# Tables that only grow are vacuumed for their visibility map; this keeps it from lagging behind.
autovacuum_naptime = 30s
autovacuum_vacuum_cost_limit = 1000

# A transaction that someone left open in psql holds back vacuum and the dropping of old data.
idle_in_transaction_session_timeout = 10min

timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
datestyle = 'iso, mdy'
default_text_search_config = 'pg_catalog.simple'
log_line_prefix = '%m [%p] '
log_checkpoints = off
)",
      kWritten, socket_directory.string(), kEmbeddedPort, shared_buffers_mib(),
      major_version >= 15 ? "lz4" : "on");
}

std::string cluster_access_rules() {
  return fmt::format(R"({}# TYPE  DATABASE     USER    METHOD
local   all          {}  peer map=iothub
local   replication  {}  peer map=iothub
local   all          all     scram-sha-256
)",
                     kWritten, kEmbeddedRole, kEmbeddedRole);
}

std::string cluster_people(const std::vector<std::string>& names) {
  auto text = fmt::format("{}# MAP   USER OF THIS MACHINE   ROLE\n", kWritten);
  for (const auto& name : names) text += fmt::format("iothub \"{}\" {}\n", name, kEmbeddedRole);
  return text;
}

ServerState server_state(std::string_view postmaster_pid) {
  ServerState state;
  const auto pid = line(postmaster_pid, 0);
  std::from_chars(pid.data(), pid.data() + pid.size(), state.pid);
  // The eighth line is the state, padded with blanks.
  state.ready = line(postmaster_pid, 7).starts_with("ready");
  return state;
}

}  // namespace hub::storage
