#include "manage/profile.h"

#include <fcntl.h>
#include <pwd.h>
#include <unistd.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace hub::manage {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

fs::path home() {
  if (const auto home = variable("HOME"); !home.empty()) return home;
  const passwd* user = getpwuid(getuid());
  return user ? user->pw_dir : "/";
}

std::string text(const json::object& object, const char* name, const std::string& otherwise) {
  const auto* value = object.if_contains(name);
  return value && value->is_string() ? std::string(value->get_string()) : otherwise;
}

}  // namespace

fs::path profile_path() {
  const auto base = variable("XDG_CONFIG_HOME");
  return (base.empty() ? home() / ".config" : fs::path(base)) / "iothub" / "manage.json";
}

Profile read_profile(const fs::path& path) {
  std::ifstream file(path);
  std::stringstream content;
  content << file.rdbuf();
  json::error_code error;
  const auto value = json::parse(content.str(), error);
  if (error || !value.is_object())
    throw std::runtime_error(path.string() + " is not a profile: remove it, and sign in again");
  Profile profile;
  profile.url = text(value.get_object(), "url", profile.url);
  profile.token = text(value.get_object(), "token", "");
  profile.account = text(value.get_object(), "account", "");
  return profile;
}

Profile load_profile() {
  Profile profile;
  const auto operators = fs::path(kDataDir) / kOperatorProfile;
  for (const auto& path : {profile_path(), operators}) {
    if (access(path.c_str(), R_OK) != 0) continue;
    profile = read_profile(path);
    break;
  }
  if (auto url = variable("IOTHUB_MANAGE_URL"); !url.empty()) profile.url = url;
  if (auto token = variable("IOTHUB_MANAGE_TOKEN"); !token.empty()) profile.token = token;
  if (auto account = variable("IOTHUB_MANAGE_ACCOUNT"); !account.empty()) profile.account = account;
  return profile;
}

void save_profile(const Profile& profile, const fs::path& path) {
  fs::create_directories(path.parent_path());
  const auto text = json::serialize(
      json::object{{"url", profile.url}, {"token", profile.token}, {"account", profile.account}});
  // Written beside and renamed, so that it is never half there nor readable by others.
  const auto fresh = path.string() + ".new";
  fs::remove(fresh);
  const int file = open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  const bool written =
      file >= 0 && write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (file >= 0) close(file);
  if (!written) throw std::runtime_error("cannot write " + path.string());
  fs::rename(fresh, path);
}

}  // namespace hub::manage
