#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace hub::instances {

// What a process and its descendants may use together; 0: no limit.
struct ResourceLimits {
  std::uint32_t memory_mb = 0;
  std::uint32_t max_iops = 0;  // reads and writes each, on the device of `device_of`
  std::filesystem::path device_of;
};

// The machine's control groups: one hierarchy (version 2), or one per resource (version 1).
class Cgroups {
 public:
  // `root` is where they are mounted: /sys/fs/cgroup.
  explicit Cgroups(std::filesystem::path root, std::string installation);

  [[nodiscard]] bool can_limit_memory() const { return memory_ != Version::none; }
  [[nodiscard]] bool can_limit_iops() const { return io_ != Version::none; }

  // Makes the groups of a name, or sets their limits anew: for a running process as well. Returns
  // the folders that the process joins. A limit that the machine cannot enforce is left out.
  [[nodiscard]] std::vector<std::filesystem::path> ensure(const std::string& name,
                                                          const ResourceLimits& limits) const;

  // Their processes must have ended.
  void remove(const std::string& name) const;

 private:
  enum class Version : std::uint8_t { none, one, two };

  [[nodiscard]] std::filesystem::path folder(Version version, const std::string& controller,
                                             const std::string& name) const;

  std::filesystem::path root_;
  std::string installation_;
  Version memory_ = Version::none;
  Version io_ = Version::none;
};

}  // namespace hub::instances
