#include "instances/provider/keeper/bounded_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <system_error>

namespace hub::instances {

BoundedLog::BoundedLog(UnitFolder folder) : folder_(std::move(folder)) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    throw std::system_error(errno, std::generic_category(), "pipe2");
  read_end_ = FileDescriptor(ends[0]);
  write_end_ = FileDescriptor(ends[1]);
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
}

void BoundedLog::copy() {
  std::array<char, 16384> buffer;
  for (;;) {
    const auto count = ::read(read_end_.get(), buffer.data(), buffer.size());
    if (count <= 0) return;
    append({buffer.data(), static_cast<std::size_t>(count)});
  }
}

void BoundedLog::note(std::string_view text) {
  append("iothub-keeper: " + std::string(text) + "\n");
}

void BoundedLog::append(std::string_view text) {
  if (file_ && size_ >= kMaxBytes) {
    file_ = {};
    ::rename(folder_.log().c_str(), folder_.old_log().c_str());
  }
  if (!file_) {
    file_ = FileDescriptor(
        ::open(folder_.log().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    struct stat stat{};
    size_ = ::fstat(file_.get(), &stat) == 0 ? static_cast<std::uint64_t>(stat.st_size) : 0;
  }
  // A full disk costs log lines, not the process: it would block on a full pipe.
  const auto written = ::write(file_.get(), text.data(), text.size());
  if (written > 0) size_ += static_cast<std::uint64_t>(written);
}

}  // namespace hub::instances
