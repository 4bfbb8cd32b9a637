#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>

#include "instances/provider/process_handle.h"
#include "instances/provider/provider.h"
#include "instances/provider/unit_files.h"

namespace hub::instances {

// A kept process, seen from the control plane. Holds nothing: all that it says, it asks the kernel
// and the keeper's files. Calls for one folder are serialised by the caller.
class Unit {
 public:
  explicit Unit(std::filesystem::path folder) : folder_{std::move(folder)} {}

  [[nodiscard]] ProcessStatus status() const;

  [[nodiscard]] bool is_kept() const { return keeper().has_value(); }

  // Of the process that is kept; nothing when none is.
  [[nodiscard]] std::optional<std::string> fingerprint() const;

  // Starts a keeper and its process; ends first what a keeper that was killed left behind. Throws
  // ProviderError when the process cannot be started.
  void start(const UnitSpec& spec, const std::filesystem::path& keeper_program,
             int listener = -1) const;

  // Ends the process and its keeper; after `grace` with SIGKILL. Absent is good.
  void stop(std::chrono::milliseconds grace) const;

 private:
  [[nodiscard]] std::optional<ProcessHandle> keeper() const;
  void end_orphan() const;

  UnitFolder folder_;
};

}  // namespace hub::instances
