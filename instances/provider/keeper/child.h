#pragma once

#include <sys/types.h>

#include "instances/provider/unit_files.h"

namespace hub::instances {

// Forks a process and makes it the one that the specification describes: its cgroups, network
// namespace, user (without any privilege, nor a way to one) and session. It has `output` as
// standard output and error, and no descriptor but these and the listener.
//
// Only for a process with one thread. Throws std::runtime_error, naming the step that failed.
[[nodiscard]] pid_t start_child(const UnitSpec& spec, int output);

inline constexpr int kListener = 3;

}  // namespace hub::instances
