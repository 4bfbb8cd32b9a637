#pragma once

#include <vector>

#include "storage/pg_link.h"
#include "storage/session_changes.h"

namespace hub::storage {

// Appends the statements, two at most, that make these changes. `arrays` is scratch for their
// parameters, which it must outlive. Sorts the changes, and keeps the last of each client.
void add_session_statements(SessionChanges& changes, std::vector<ByteBuffer>& arrays,
                            std::vector<ParameterStatement>& out);

}  // namespace hub::storage
