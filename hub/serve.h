#pragma once

namespace hub {

struct Config;

// Runs the hub until SIGTERM or SIGINT: the database (its own when none is configured; waits for
// one that is away), schema check, rules, broker. Prints the `ready` line on standard output once
// clients may connect.
//
// Returns 0 after a stop in which everything accepted was committed and acknowledged, 1 when
// something was left undone or, with the reasons in the log, when it could not start.
[[nodiscard]] int serve(const Config& config);

}  // namespace hub
