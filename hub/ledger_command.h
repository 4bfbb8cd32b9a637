#pragma once

#include <ostream>

#include "hub/command_line.h"
#include "hub/config.h"

namespace hub {

// `iothub ledger`: the ledger of the database, and of the hub that runs on the data directory if
// one does. Writes its answer to `out`; returns 1 when a sum is off, and names the rule. Throws
// std::runtime_error when database or hub cannot be asked.
int run_ledger_command(const LedgerArguments& arguments, const Config& config, std::ostream& out);

}  // namespace hub
