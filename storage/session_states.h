#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace hub::storage {

// Hands over every durable session state (BatchWriter::save_session_state), in no order. Blocking;
// for start-up, before the first writer is made. The views are valid for the call.
// Throws std::runtime_error when the database fails.
void load_session_states(
    const std::string& url,
    const std::function<void(std::string_view client_id, std::string_view state)>& take);

}  // namespace hub::storage
