#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace hub::manage {

struct ServeOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 7880;  // 0: a free one
  std::filesystem::path data_dir;
  std::string database;            // empty: the control plane's own, in its data directory
  std::string provider = "local";  // or "process", without isolation
  std::string installation = "iothub";
  std::string public_host;  // in endpoints; empty: this machine's name
  std::uint16_t first_public_port = 18830;
  std::uint16_t last_public_port = 19829;
  std::int64_t free_units = 5'000'000;  // of 0.5 KB, each month and hub
};

// Runs the control plane until SIGINT or SIGTERM. Instances go on without it. Throws
// std::runtime_error when it cannot start.
int serve(const ServeOptions& options);

}  // namespace hub::manage
