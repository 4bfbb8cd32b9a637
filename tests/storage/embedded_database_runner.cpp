// Runs the embedded database of a directory, as a hub would, until it is killed or told to stop:
// a process that a test can kill.
#include <fmt/core.h>

#include <csignal>
#include <cstdio>
#include <exception>

#include "storage/embedded_database.h"

int main(int count, char** arguments) {
  if (count != 2) return 2;
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  try {
    const hub::storage::DataDirectory directory(arguments[1]);
    hub::storage::EmbeddedDatabase database(directory);
    database.start();
    fmt::print("ready {}\n", database.pid());
    std::fflush(stdout);
    int signal = 0;
    sigwait(&signals, &signal);
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}
