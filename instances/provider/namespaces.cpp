#include "instances/provider/namespaces.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>

#include "instances/provider/process_handle.h"
#include "instances/provider/program.h"
#include "instances/provider/provider.h"

namespace hub::instances {
namespace {

constexpr auto kDirectory = "/run/netns";

[[noreturn]] void fail(const std::string& what) {
  throw ProviderError(ProviderError::Next::retry,
                      fmt::format("{}: {}", what, std::strerror(errno)));
}

bool in_namespace(pid_t pid, const struct stat& ns) {
  struct stat its{};
  return ::stat(fmt::format("/proc/{}/ns/net", pid).c_str(), &its) == 0 &&
         its.st_ino == ns.st_ino && its.st_dev == ns.st_dev;
}

}  // namespace

std::filesystem::path namespace_file(std::string_view name) {
  return std::filesystem::path(kDirectory) / name;
}

bool namespace_exists(std::string_view name) {
  struct statfs file{};
  return ::statfs(namespace_file(name).c_str(), &file) == 0 && file.f_type == NSFS_MAGIC;
}

void ensure_namespace(const std::string& name) {
  if (!namespace_exists(name)) {
    ::unlink(namespace_file(name).c_str());
    require_program({{"ip", "netns", "add", name}, {}}, "making namespace " + name);
  }
  const NamespaceScope inside(name);
  // Addresses of a VPC are IPv4; what the kernel would give itself under IPv6 no rule mentions.
  if (std::filesystem::exists("/proc/sys/net/ipv6")) {
    write_setting("net/ipv6/conf/all/disable_ipv6", "1");
    write_setting("net/ipv6/conf/default/disable_ipv6", "1");
  }
  require_program({{"ip", "link", "set", "lo", "up"}, {}}, "namespace " + name);
}

void remove_namespace(const std::string& name) {
  const auto file = namespace_file(name);
  if (namespace_exists(name)) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    for (auto pids = processes_in_namespace(name); !pids.empty();
         pids = processes_in_namespace(name)) {
      struct stat ns{};
      ::stat(file.c_str(), &ns);
      for (const auto pid : pids) {
        const auto process = ProcessHandle::open(pid);
        // Looked at again: the handle is of the process that has this pid now.
        if (!process || !in_namespace(pid, ns)) continue;
        process->signal(SIGKILL);
        static_cast<void>(process->ended_by(deadline));
      }
      if (std::chrono::steady_clock::now() > deadline)
        throw ProviderError(ProviderError::Next::retry,
                            "processes in namespace " + name + " do not end");
    }
    if (::umount2(file.c_str(), MNT_DETACH) != 0) fail("removing namespace " + name);
  }
  if (::unlink(file.c_str()) != 0 && errno != ENOENT) fail("removing namespace " + name);
}

std::vector<std::string> namespaces_with_prefix(std::string_view prefix) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(kDirectory, error)) {
    auto name = entry.path().filename().string();
    if (name.starts_with(prefix)) names.push_back(std::move(name));
  }
  return names;
}

std::vector<pid_t> processes_in_namespace(std::string_view name) {
  std::vector<pid_t> pids;
  struct stat ns{};
  if (::stat(namespace_file(name).c_str(), &ns) != 0) return pids;
  for (const auto pid : all_processes())
    if (in_namespace(pid, ns)) pids.push_back(pid);
  return pids;
}

NamespaceScope::NamespaceScope(std::string_view name)
    : home_(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) {
  const FileDescriptor target(::open(namespace_file(name).c_str(), O_RDONLY | O_CLOEXEC));
  if (!home_ || !target || ::setns(target.get(), CLONE_NEWNET) != 0)
    fail(fmt::format("entering namespace {}", name));
}

NamespaceScope::~NamespaceScope() {
  // A thread that stayed behind would do the next call's work in the wrong network.
  if (::setns(home_.get(), CLONE_NEWNET) != 0) std::abort();
}

void write_setting(std::string_view setting, std::string_view value) {
  const auto path = fmt::format("/proc/sys/{}", setting);
  const FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file ||
      ::write(file.get(), value.data(), value.size()) != static_cast<ssize_t>(value.size()))
    fail("writing " + path);
}

}  // namespace hub::instances
