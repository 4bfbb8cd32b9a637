#include "storage/data_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

namespace hub::storage {
namespace {

std::string holder_of(int lock) {
  std::array<char, 32> text{};
  const auto size = ::pread(lock, text.data(), text.size(), 0);
  std::string pid(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  pid.erase(pid.find_last_not_of(" \n") + 1);
  return pid.empty() ? "its process id is not known" : "process " + pid;
}

void make(const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return;
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), error);
  // Root's is readable, as the database that it starts runs as another user.
  const mode_t mode = ::geteuid() == 0 ? 0755 : 0700;
  if (error || ::mkdir(path.c_str(), mode) != 0) {
    throw DataDirectoryError(fmt::format("data directory {}: cannot be made: {}", path.string(),
                                         error ? error.message() : std::strerror(errno)));
  }
}

}  // namespace

DataDirectory::DataDirectory(const std::filesystem::path& path) {
  path_ = std::filesystem::absolute(path).lexically_normal();
  if (!path_.has_filename()) path_ = path_.parent_path();
  make(path_);
  path_ = std::filesystem::canonical(path_);

  const auto file = path_ / "iothub.lock";
  lock_ = FileDescriptor(::open(file.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!lock_) {
    throw DataDirectoryError(fmt::format("data directory {}: cannot be written: {}", path_.string(),
                                         std::strerror(errno)));
  }
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) {
      throw DataDirectoryError(fmt::format("data directory {}: cannot be locked: {}",
                                           path_.string(), std::strerror(errno)));
    }
    throw DataDirectoryInUse(fmt::format(
        "data directory {}: another hub uses it ({}); stop that one, or choose another directory "
        "with --data-dir",
        path_.string(), holder_of(lock_.get())));
  }
  const auto pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(lock_.get(), 0) != 0 ||
      ::pwrite(lock_.get(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    throw DataDirectoryError(fmt::format("data directory {}: cannot be written: {}", path_.string(),
                                         std::strerror(errno)));
  }
}

}  // namespace hub::storage
