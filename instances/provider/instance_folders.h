#pragma once

#include <sys/types.h>

#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "instances/provider/provider.h"

namespace hub::instances {

// Where an instance's files are.
struct InstanceFolder {
  std::filesystem::path path;

  // Belongs to the instance's user, and to nobody else.
  [[nodiscard]] std::filesystem::path home() const { return path / "home"; }
  [[nodiscard]] std::filesystem::path keeper() const { return path / "keeper"; }
};

// The folders of a provider's databases, hubs and endpoints, and the users that they belong to:
//
//   DATA_DIR/databases/ID    DATA_DIR/hubs/ID    DATA_DIR/endpoints/ID
//
// When the provider is root, each database and hub has a user of its own (a number without a name),
// so that none reads another's files or signals its processes.
class InstanceFolders {
 public:
  // Makes the data directory, and locks it while it lives. Throws ProviderError when another
  // provider has it, or when the users of instances could not pass through a folder on the way.
  explicit InstanceFolders(std::filesystem::path data_dir);

  [[nodiscard]] InstanceFolder of(ResourceKind kind, const std::string& id) const;

  // The folder of that name, whatever its kind; nothing when there is none.
  [[nodiscard]] std::optional<Owned> find(const std::string& id) const;

  [[nodiscard]] std::vector<Owned> list() const;

  // Makes the folder and its home, and returns the home's user: 0, without root's powers.
  uid_t ensure(const InstanceFolder& folder);

  // Removes it with all that is in it.
  void remove(const InstanceFolder& folder) const;

  [[nodiscard]] const std::filesystem::path& data_dir() const { return data_dir_; }

  // The user of all forwarders, who owns nothing.
  [[nodiscard]] uid_t forwarder_user() const;

 private:
  [[nodiscard]] uid_t free_user() const;

  std::filesystem::path data_dir_;
  FileDescriptor lock_;
  std::mutex users_;  // from choosing a user to owning a home
};

// Removes a folder with all that is in it. The last programs of a control plane that was killed a
// moment ago may still write there until they are gone: tried again for a while.
void remove_folder(const std::filesystem::path& path);

// Gives a file or a folder with all that is in it to a user and the group of the same number.
void give_to(const std::filesystem::path& path, uid_t user);

}  // namespace hub::instances
