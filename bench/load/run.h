#pragma once

#include "bench/load/options.h"
#include "bench/load/report.h"

namespace hub::bench {

// Carries out a run: opens the connections, starts the work in every thread at once, lets it go on
// for its time or number of messages or until SIGINT or SIGTERM, awaits what is on its way, and
// reports. Takes the calling thread for the first worker.
//
// Throws std::invalid_argument or boost::system::system_error when the run cannot begin; a broker
// that refuses connections or breaks them is not such a case, but an error in the report.
[[nodiscard]] Report run(const Options& options);

}  // namespace hub::bench
