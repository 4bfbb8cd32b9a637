#include "hub/start_signals.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "base/log.h"
#include "base/service_manager.h"

namespace hub {

struct StartSignals::Waiting {
  Waiting() {
    signals.async_wait([](const boost::system::error_code& error, int signal) {
      if (error) return;
      log::info("{}: stopping before the start was done", signal == SIGTERM ? "SIGTERM" : "SIGINT");
      notify_service_manager("STOPPING=1");
      std::_Exit(0);
    });
    thread = std::jthread([this] { io.run(); });
  }
  ~Waiting() { io.stop(); }

  boost::asio::io_context io{1};
  boost::asio::signal_set signals{io, SIGTERM, SIGINT};
  std::jthread thread;
};

StartSignals::StartSignals() : waiting_(std::make_unique<Waiting>()) {}

StartSignals::~StartSignals() = default;

}  // namespace hub
