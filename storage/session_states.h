#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "storage/database_error.h"

namespace hub::storage {

// Hands over every durable session state (BatchWriter::save_session_state), in no order. Blocking;
// for start-up, before the first writer is made. The views are valid for the call.
//
// What is handed over stays true: batches of the writers before, of a hub that was killed, have
// either committed by then or never will, however late the network delivers them. A hub that still
// runs on the same database notices no more than a batch that it sends again.
//
// Throws DatabaseError.
void load_session_states(
    const std::string& url,
    const std::function<void(std::string_view client_id, std::string_view state)>& take,
    const Patience& patience = {});

}  // namespace hub::storage
