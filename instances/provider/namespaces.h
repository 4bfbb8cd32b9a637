#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_descriptor.h"

// Network namespaces by name, as `ip netns` keeps them: a file in /run/netns that holds the
// namespace open.

namespace hub::instances {

// The file of a namespace.
[[nodiscard]] std::filesystem::path namespace_file(std::string_view name);

// Whether it exists and is a namespace: a kill in the middle of `ip netns add` leaves a plain file.
[[nodiscard]] bool namespace_exists(std::string_view name);

// Makes the namespace unless it exists, with its loopback interface up and without IPv6.
void ensure_namespace(const std::string& name);

// Kills what runs in the namespace, and removes it.
void remove_namespace(const std::string& name);

// Names with the prefix, half-made ones among them.
[[nodiscard]] std::vector<std::string> namespaces_with_prefix(std::string_view prefix);

[[nodiscard]] std::vector<pid_t> processes_in_namespace(std::string_view name);

// Puts the calling thread, and the programs that it starts, into a namespace while it lives. The
// other threads stay where they are.
class NamespaceScope {
 public:
  explicit NamespaceScope(std::string_view name);  // throws ProviderError
  NamespaceScope(const NamespaceScope&) = delete;
  NamespaceScope& operator=(const NamespaceScope&) = delete;
  ~NamespaceScope();

 private:
  FileDescriptor home_;
};

// Writes a kernel setting of the calling thread's namespace: "net/ipv4/ip_forward".
void write_setting(std::string_view setting, std::string_view value);

}  // namespace hub::instances
