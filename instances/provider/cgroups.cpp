#include "instances/provider/cgroups.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <sstream>
#include <system_error>

#include "base/file_descriptor.h"
#include "instances/provider/provider.h"
#include "instances/provider/unit_files.h"

namespace hub::instances {
namespace {

namespace fs = std::filesystem;

bool write_value(const fs::path& file, const std::string& value) {
  const FileDescriptor open_file(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  return open_file &&
         ::write(open_file.get(), value.data(), value.size()) == static_cast<ssize_t>(value.size());
}

bool has_controller(const fs::path& group, const std::string& wanted) {
  std::istringstream names(read_file(group / "cgroup.controllers").value_or(""));
  for (std::string name; names >> name;)
    if (name == wanted) return true;
  return false;
}

std::string device_number(const fs::path& file) {
  struct stat stat{};
  if (::stat(file.c_str(), &stat) != 0) return {};
  return fmt::format("{}:{}", major(stat.st_dev), minor(stat.st_dev));
}

std::string or_max(std::uint64_t value) {
  return value == 0 ? std::string("max") : std::to_string(value);
}

}  // namespace

Cgroups::Cgroups(fs::path root, std::string installation)
    : root_(std::move(root)), installation_(std::move(installation)) {
  const auto version = [&](const std::string& controller_v2, const std::string& controller_v1) {
    const auto own = root_ / controller_v1;
    if (has_controller(root_, controller_v2))
      return ::access(root_.c_str(), W_OK) == 0 ? Version::two : Version::none;
    return ::access((own / "cgroup.procs").c_str(), W_OK) == 0 ? Version::one : Version::none;
  };
  memory_ = version("memory", "memory");
  io_ = version("io", "blkio");
}

fs::path Cgroups::folder(Version version, const std::string& controller,
                         const std::string& name) const {
  return (version == Version::two ? root_ : root_ / controller) / installation_ / name;
}

std::vector<fs::path> Cgroups::ensure(const std::string& name, const ResourceLimits& limits) const {
  std::vector<fs::path> joined;
  const auto make = [&](Version version, const std::string& controller) {
    const auto path = folder(version, controller, name);
    if (version == Version::two) {
      // A group limits only what its parents hand down.
      for (const auto& parent : {root_, path.parent_path()}) {
        fs::create_directories(parent);
        for (const auto* handed : {"+memory", "+io"})
          write_value(parent / "cgroup.subtree_control", handed);
      }
    }
    std::error_code error;
    // Again, as remove() of another name may take the parent away in between.
    for (int attempt = 0; attempt < 10 && !fs::is_directory(path); ++attempt)
      fs::create_directories(path, error);
    if (!fs::is_directory(path))
      throw ProviderError(ProviderError::Next::retry,
                          fmt::format("making cgroup {}: {}", path.string(), error.message()));
    if (joined.empty() || joined.back() != path) joined.push_back(path);
    return path;
  };

  const std::uint64_t bytes = std::uint64_t{limits.memory_mb} << 20;
  if (memory_ == Version::two) {
    write_value(make(memory_, "memory") / "memory.max", or_max(bytes));
  } else if (memory_ == Version::one) {
    write_value(make(memory_, "memory") / "memory.limit_in_bytes",
                bytes == 0 ? "-1" : std::to_string(bytes));
  }
  const auto device = device_number(limits.device_of);
  if (device.empty()) return joined;
  if (io_ == Version::two) {
    const auto each = or_max(limits.max_iops);
    write_value(make(io_, "io") / "io.max",
                fmt::format("{} riops={} wiops={}", device, each, each));
  } else if (io_ == Version::one) {
    const auto group = make(io_, "blkio");
    for (const auto* file : {"blkio.throttle.read_iops_device", "blkio.throttle.write_iops_device"})
      write_value(group / file, fmt::format("{} {}", device, limits.max_iops));
  }
  return joined;
}

void Cgroups::remove(const std::string& name) const {
  for (const auto& [version, controller] :
       {std::pair{memory_, "memory"}, std::pair{io_, "blkio"}}) {
    if (version == Version::none) continue;
    const auto path = folder(version, controller, name);
    // rmdir of a group takes its files along; the installation's own goes with the last of them.
    if (::rmdir(path.c_str()) != 0 && errno != ENOENT)
      throw ProviderError(ProviderError::Next::retry,
                          fmt::format("removing cgroup {}: {}", path.string(),
                                      std::generic_category().message(errno)));
    ::rmdir(path.parent_path().c_str());
  }
}

}  // namespace hub::instances
