#pragma once

#include <filesystem>
#include <stdexcept>

#include "base/file_descriptor.h"

namespace hub::storage {

// The directory cannot be used; what() says why and what to do.
class DataDirectoryError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Another process has the directory.
class DataDirectoryInUse : public DataDirectoryError {
  using DataDirectoryError::DataDirectoryError;
};

// The directory in which a hub keeps what is its own, held by one process at a time.
//
// The lock is the kernel's (flock on iothub.lock), so it ends with the process however that ends.
class DataDirectory {
 public:
  // Makes the directory and its parents when they are missing, and takes the lock.
  // Throws DataDirectoryInUse, which names the other process, or DataDirectoryError.
  explicit DataDirectory(const std::filesystem::path& path);

  // Absolute, without symbolic links.
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
  FileDescriptor lock_;
};

}  // namespace hub::storage
