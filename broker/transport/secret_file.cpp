#include "broker/transport/secret_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>

#include "base/file_descriptor.h"

namespace hub::broker {
namespace {

constexpr std::size_t kMostBytes = std::size_t{1} << 20;

[[noreturn]] void refuse_unreadable(const std::filesystem::path& file) {
  refuse_file(file, "cannot be read: " + std::generic_category().message(errno));
}

// O_NONBLOCK: a FIFO is no file, and must not be waited for.
FileDescriptor open(const std::filesystem::path& file, struct stat& status) {
  FileDescriptor opened{::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (!opened || ::fstat(opened.get(), &status) != 0) refuse_unreadable(file);
  if (!S_ISREG(status.st_mode)) refuse_file(file, "is not a file");
  if (static_cast<std::size_t>(status.st_size) > kMostBytes)
    refuse_file(file, "is larger than 1 MiB");
  return opened;
}

std::string read_all(const std::filesystem::path& file, const FileDescriptor& opened) {
  std::string text(kMostBytes, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t n = ::read(opened.get(), text.data() + size, text.size() - size);
    if (n < 0 && errno != EINTR) refuse_unreadable(file);
    if (n == 0) break;
    if (n > 0) size += static_cast<std::size_t>(n);
  }
  text.resize(size);
  return text;
}

}  // namespace

void refuse_file(const std::filesystem::path& file, const std::string& why) {
  throw std::runtime_error(fmt::format("{}: {}", file.string(), why));
}

std::string read_file(const std::filesystem::path& file) {
  struct stat status{};
  const FileDescriptor opened = open(file, status);
  return read_all(file, opened);
}

std::string read_secret_file(const std::filesystem::path& file) {
  struct stat status{};
  const FileDescriptor opened = open(file, status);
  if ((status.st_mode & S_IRWXO) != 0) {
    refuse_file(file, fmt::format("every user of this machine can open this secret; chmod o= {}",
                                  file.string()));
  }
  return read_all(file, opened);
}

}  // namespace hub::broker
