#pragma once

namespace hub::manage {

// `iothub manage …`: the control plane, and its client. `arguments` begins with "manage". Returns
// the exit status.
int run(int count, const char* const* arguments);

}  // namespace hub::manage
