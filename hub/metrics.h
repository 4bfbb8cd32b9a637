#pragma once

#include <ostream>
#include <string>

#include "hub/config.h"
#include "hub/hub_status.h"

namespace hub {

// The report in Prometheus' text form: each counter of broker and writer under its own name, what
// became of the messages of each rule, and how much waits.
[[nodiscard]] std::string write_metrics(const HubReport& report);

// `iothub metrics`: that of the hub which runs on the data directory. Throws std::runtime_error
// when none does.
int run_metrics_command(const Config& config, std::ostream& out);

}  // namespace hub
