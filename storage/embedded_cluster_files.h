#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

// What stands in the files of the embedded cluster. Values only: nothing here touches a disk.
namespace hub::storage {

inline constexpr std::string_view kEmbeddedRole = "iothub";
inline constexpr std::string_view kEmbeddedDatabaseName = "iothub";
inline constexpr int kEmbeddedPort = 5432;  // only a part of the socket's name

// Whether a socket of the server can stand there: short enough for sockaddr_un, and of characters
// that need no quoting in a URL or in the server's configuration.
[[nodiscard]] bool fits_socket_path(const std::filesystem::path& directory);

// Where the socket goes when it cannot be in the data directory: a short path that is the same at
// every start. /run for root, /tmp for others.
[[nodiscard]] std::filesystem::path far_socket_directory(
    const std::filesystem::path& data_directory, uid_t user);

[[nodiscard]] std::string cluster_settings(const std::filesystem::path& socket_directory,
                                           int major_version);
[[nodiscard]] std::string cluster_access_rules();

// The users of this machine who may be the role iothub.
[[nodiscard]] std::string cluster_people(const std::vector<std::string>& names);

// What a postmaster.pid says.
struct ServerState {
  pid_t pid = 0;  // 0 when there is none
  bool ready = false;
};
[[nodiscard]] ServerState server_state(std::string_view postmaster_pid);

}  // namespace hub::storage
