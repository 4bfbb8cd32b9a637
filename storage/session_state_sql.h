#pragma once

#include <vector>

#include "storage/batch.h"
#include "storage/pg_link.h"

namespace hub::storage {

// Appends the statements, two at most, that write these session states. `arrays` is scratch for
// their parameters, which it must outlive. Sorts the entries, and keeps the last of each client.
void add_session_statements(SessionStates& states, std::vector<ByteBuffer>& arrays,
                            std::vector<ParameterStatement>& out);

}  // namespace hub::storage
