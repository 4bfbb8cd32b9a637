#pragma once

#include <string_view>

namespace hub {

// Tells systemd (or whoever set NOTIFY_SOCKET) how the service is: "READY=1", "STOPPING=1",
// "STATUS=…". No effect where nobody asked; a failure is logged.
void notify_service_manager(std::string_view state);

}  // namespace hub
