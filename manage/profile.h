#pragma once

#include <filesystem>
#include <string>

namespace hub::manage {

// How the command line reaches a control plane, and as whom. Kept in a file that only its owner
// can read: ~/.config/iothub/manage.json.
struct Profile {
  std::string url = "http://127.0.0.1:7880";
  std::string token;
  std::string account;  // in whose name an operator acts; empty: the token's own
};

// The file of this user.
[[nodiscard]] std::filesystem::path profile_path();

// From the user's file; without one from the operator's, when this user may read it. The variables
// IOTHUB_MANAGE_URL, IOTHUB_MANAGE_TOKEN and IOTHUB_MANAGE_ACCOUNT go before both.
[[nodiscard]] Profile load_profile();

void save_profile(const Profile& profile, const std::filesystem::path& path);
[[nodiscard]] Profile read_profile(const std::filesystem::path& path);

// Where the control plane leaves the operator's profile: in its data directory.
inline constexpr const char* kOperatorProfile = "operator.json";
inline constexpr const char* kDataDir = "/var/lib/iothub-manage";

}  // namespace hub::manage
