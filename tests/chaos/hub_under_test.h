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
  HubUnderTest(std::string database_url, HubAddress& address);

  void kill();  // SIGKILL
  void stop();  // SIGTERM; notes an exit code that is not 0
  // Again and again until it is ready, as a service manager does; throws when that takes too long.
  void start();
  [[nodiscard]] bool running() const { return running_; }

  // The most memory that any of its runs had, so far.
  [[nodiscard]] std::size_t peak_memory_bytes();
  // The end of what its runs have logged.
  [[nodiscard]] std::string log() const;
  [[nodiscard]] int failed_stops() const { return failed_stops_; }

 private:
  void note_end();

  HubAddress& address_;
  HubProcess process_;
  bool running_ = true;
  std::size_t peak_memory_bytes_ = 0;
  int failed_stops_ = 0;
  std::string logs_;  // of the runs before
};

}  // namespace hub::test
