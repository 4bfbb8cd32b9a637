#pragma once

#include <memory>

#include "instances/provider/provider.h"

namespace hub::instances {

// Everything on this machine, with real isolation: network namespaces, nftables, cgroups, a user
// per instance. Needs root. Throws ProviderError, naming everything that is missing and the
// alternative, when this machine or this process cannot do it.
[[nodiscard]] std::unique_ptr<Provider> make_local_provider(const ProviderOptions& options);

// Everything on this machine as plain processes: no isolation, no privilege needed. Each instance
// has an address of its own in 127.0.0.0/8.
[[nodiscard]] std::unique_ptr<Provider> make_process_provider(const ProviderOptions& options);

}  // namespace hub::instances
