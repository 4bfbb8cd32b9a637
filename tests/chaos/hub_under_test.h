#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "tests/chaos/fleet.h"
#include "tests/support/hub_process.h"

namespace hub::test {

// The built hub, to be ended and started again; tells the fleet where it is.
class HubUnderTest {
 public:
  struct Options {
    bool spools = false;
    bool can_lose_power = false;  // what it has not synced is lost by cut_power()
    bool disk_lies = false;       // … and what it has synced of the spool's log, too
  };
  HubUnderTest(std::string database_url, HubAddress& address, Options options);

  void kill();       // SIGKILL
  void cut_power();  // kill(), and the files of its spool are what was synced of them
  void stop();       // SIGTERM; notes an exit code that is not 0
  // Again and again until it is ready, as a service manager does; throws when that takes too long.
  void start();
  [[nodiscard]] bool running() const { return running_; }

  // Waits until nothing is in its spool.
  void wait_until_drained() const;

  // What `iothub ledger` says when a rule's sum is off; empty when all of them balance.
  [[nodiscard]] std::string ledger_complaint(const std::string& database_url) const;

  // The most memory that any of its runs had, so far.
  [[nodiscard]] std::size_t peak_memory_bytes();
  // The end of what its runs have logged.
  [[nodiscard]] std::string log() const;
  [[nodiscard]] int failed_stops() const { return failed_stops_; }

 private:
  void note_end();

  [[nodiscard]] HubProcess::Options process_options(std::string database_url) const;
  [[nodiscard]] std::string synced() const { return (directory_.path() / "synced").string(); }

  HubAddress& address_;
  const Options options_;
  TemporaryDirectory directory_;
  HubProcess process_;
  bool running_ = true;
  std::size_t peak_memory_bytes_ = 0;
  int failed_stops_ = 0;
  std::string logs_;  // of the runs before
};

}  // namespace hub::test
