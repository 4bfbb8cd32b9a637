#include "hub/hub_spool.h"

#include "base/log.h"

namespace hub {

std::filesystem::path spool_directory(const Config& config) { return config.data_dir / "spool"; }

std::unique_ptr<storage::Spool> open_spool(const Config& config) {
  const auto directory = spool_directory(config);
  if (config.storage.outage == Config::Outage::hold && !std::filesystem::exists(directory)) {
    return nullptr;
  }
  auto spool =
      std::make_unique<storage::Spool>(storage::SpoolOptions{directory, config.storage.spool_size});
  const storage::SpoolRecovery& found = spool->recovery();
  if (!found.findings.empty()) {
    log::warning(
        "the spool did not end as it should: {} bytes were left out. What was left out at its end "
        "was not acknowledged; what is missing elsewhere is named when it is drained",
        found.dropped_bytes);
    for (const std::string& finding : found.findings) log::warning("the spool: {}", finding);
  }
  return spool;
}

}  // namespace hub
