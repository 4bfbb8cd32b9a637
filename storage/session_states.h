#pragma once

#include <functional>
#include <string>

#include "base/durable_change.h"
#include "storage/database_error.h"

namespace hub::storage {

// Hands over every session that is durable (BatchWriter::make_durable), in no order; one whose row
// cannot be read with nothing but its client id (StoredSession::unknown_form). Blocking; for
// start-up, before the first writer is made.
//
// What is handed over stays true: batches of the writers before, of a hub that was killed, have
// either committed by then or never will, however late the network delivers them. A hub that still
// runs on the same database notices no more than a batch that it sends again.
//
// Throws DatabaseError.
void load_session_states(const std::string& url,
                         const std::function<void(StoredSession session)>& take,
                         const Patience& patience = {});

}  // namespace hub::storage
