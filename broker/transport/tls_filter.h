#pragma once

#include <memory>

#include "broker/transport/filter.h"
#include "broker/transport/openssl_handles.h"

namespace hub::broker {

// The server's end of one TLS connection. `keeps_alive` is what the callbacks of its context refer
// to, and lives as long as the filter.
[[nodiscard]] std::unique_ptr<Filter> make_tls_filter(OpenSsl<SSL> ssl,
                                                      std::shared_ptr<const void> keeps_alive);

}  // namespace hub::broker
