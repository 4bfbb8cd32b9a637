#pragma once

namespace hub {

// `iothub manage …`: the control plane, and its client. `arguments` begins with "manage". Returns
// the exit status.
int run_manage(int count, const char* const* arguments);

}  // namespace hub
