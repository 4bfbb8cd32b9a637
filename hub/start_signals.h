#pragma once

#include <memory>

namespace hub {

// While it lives, SIGTERM and SIGINT end the program at once with status 0, whatever its threads
// are waiting for. For the start: nothing has been promised to anybody yet, and what a start does
// to the database and the spool it can do again after any kill.
class StartSignals {
 public:
  StartSignals();
  ~StartSignals();
  StartSignals(const StartSignals&) = delete;
  StartSignals& operator=(const StartSignals&) = delete;

 private:
  struct Waiting;
  std::unique_ptr<Waiting> waiting_;
};

}  // namespace hub
