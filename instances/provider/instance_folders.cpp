#include "instances/provider/instance_folders.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <set>
#include <thread>
#include <utility>

#include "instances/provider/fingerprint.h"

namespace hub::instances {
namespace {

namespace fs = std::filesystem;
using Next = ProviderError::Next;

// Numbers that neither systemd nor containers hand out (systemd's "Users, Groups, UIDs and GIDs").
constexpr uid_t kFirstUser = 1'900'000'000;
constexpr uid_t kUsersPerDataDirectory = 16'384;
constexpr uid_t kDataDirectories = 12'000;

constexpr std::array<std::pair<ResourceKind, const char*>, 3> kKinds{
    std::pair{ResourceKind::database, "databases"}, std::pair{ResourceKind::hub, "hubs"},
    std::pair{ResourceKind::endpoint, "endpoints"}};

// 0711: whoever knows a name may pass, and nobody can list.
constexpr auto kPassable = fs::perms::owner_all | fs::perms::group_exec | fs::perms::others_exec;

bool is_root() { return ::geteuid() == 0; }

void make_folder(const fs::path& path, fs::perms permissions) {
  std::error_code error;
  fs::create_directories(path, error);
  if (!error) fs::permissions(path, permissions, error);
  if (error)
    throw ProviderError(Next::retry, fmt::format("making {}: {}", path.string(), error.message()));
}

std::optional<uid_t> owner(const fs::path& path) {
  struct stat stat{};
  if (::lstat(path.c_str(), &stat) != 0) return std::nullopt;
  return stat.st_uid;
}

void require_a_way_in(const fs::path& data_dir) {
  for (auto path = data_dir.parent_path(); path.has_relative_path(); path = path.parent_path()) {
    const auto permissions = fs::status(path).permissions();
    if ((permissions & fs::perms::others_exec) == fs::perms::none)
      throw ProviderError(
          Next::give_up,
          fmt::format("{0} is closed to other users, and instances run as users of their own: "
                      "choose another data directory, or chmod o+x {0}",
                      path.string()));
  }
}

}  // namespace

InstanceFolders::InstanceFolders(fs::path data_dir) : data_dir_(std::move(data_dir)) {
  if (!data_dir_.is_absolute())
    throw ProviderError(Next::give_up, "data directory " + data_dir_.string() + " is not absolute");
  make_folder(data_dir_, kPassable);
  if (is_root()) require_a_way_in(data_dir_);
  const auto lock = data_dir_ / "provider.lock";
  lock_ = FileDescriptor(::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock_ || ::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0)
    throw ProviderError(Next::give_up,
                        errno == EWOULDBLOCK
                            ? "another control plane runs on " + data_dir_.string()
                            : "locking " + lock.string() + ": " + std::strerror(errno));
  for (const auto& [kind, name] : kKinds) make_folder(data_dir_ / name, kPassable);
}

InstanceFolder InstanceFolders::of(ResourceKind kind, const std::string& id) const {
  for (const auto& [known, name] : kKinds)
    if (known == kind) return {data_dir_ / name / id};
  throw ProviderError(Next::give_up, id + " is of a kind without files");
}

std::optional<Owned> InstanceFolders::find(const std::string& id) const {
  for (const auto& [kind, name] : kKinds)
    if (fs::exists(data_dir_ / name / id)) return Owned{kind, id};
  return std::nullopt;
}

std::vector<Owned> InstanceFolders::list() const {
  std::vector<Owned> owned;
  for (const auto& [kind, name] : kKinds) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(data_dir_ / name, error))
      owned.push_back({kind, entry.path().filename().string()});
  }
  return owned;
}

uid_t InstanceFolders::ensure(const InstanceFolder& folder) {
  make_folder(folder.path, kPassable);
  const std::lock_guard guard(users_);
  if (const auto user = owner(folder.home()); user && *user != 0) return is_root() ? *user : 0;
  make_folder(folder.home(), fs::perms::owner_all);
  if (!is_root()) return 0;
  const auto user = free_user();
  give_to(folder.home(), user);
  return user;
}

void InstanceFolders::remove(const InstanceFolder& folder) const { remove_folder(folder.path); }

uid_t InstanceFolders::forwarder_user() const {
  // Data directories of one machine get blocks of numbers by their paths.
  const auto block = stable_hash(data_dir_.string()) % kDataDirectories;
  return kFirstUser + static_cast<uid_t>(block) * kUsersPerDataDirectory;
}

uid_t InstanceFolders::free_user() const {
  std::set<uid_t> taken;
  for (const auto& [kind, id] : list())
    if (const auto user = owner(of(kind, id).home())) taken.insert(*user);
  for (uid_t user = forwarder_user() + 1; user < forwarder_user() + kUsersPerDataDirectory; ++user)
    if (!taken.contains(user)) return user;
  throw ProviderError(Next::give_up, "no user number is left for another instance");
}

void give_to(const fs::path& path, uid_t user) {
  const auto give = [user](const fs::path& file) {
    if (::lchown(file.c_str(), user, user) != 0)
      throw ProviderError(Next::retry, fmt::format("giving {} to user {}: {}", file.string(), user,
                                                   std::strerror(errno)));
  };
  if (fs::is_directory(fs::symlink_status(path)))
    for (const auto& entry : fs::recursive_directory_iterator(path)) give(entry.path());
  give(path);
}

void remove_folder(const fs::path& path) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  std::error_code error;
  while (fs::remove_all(path, error), error) {
    if (std::chrono::steady_clock::now() > deadline)
      throw ProviderError(Next::retry,
                          fmt::format("removing {}: {}", path.string(), error.message()));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

}  // namespace hub::instances
