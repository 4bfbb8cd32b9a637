#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bench/load/options.h"
#include "bench/load/text_template.h"
#include "bench/load/worker.h"

namespace hub::bench {

// Connections that publish nothing. Idle: each holds one subscription until the end. Connect: each
// leaves as soon as it is accepted and comes again, and the latency is that from opening the socket
// to CONNACK.
class Crowd : public Worker {
 public:
  Crowd(const Options& options, Share share);

  void start(std::function<void()> on_done) override;
  void drain() override;
  void give_up() override;
  [[nodiscard]] std::uint64_t progress() const noexcept override { return progress_; }

  ClientPlan plan(std::uint32_t client) const override;
  void on_ready(Client& client) override;
  void on_packets(Client& client, PacketScanner& packets) override;
  void on_writable(Client& client) override;
  void on_lost(Client& client) override;
  void on_round_done() override;

 private:
  [[nodiscard]] bool storms() const noexcept { return options_.mode == Mode::connect; }
  void left(Client& client);

  const Options& options_;
  Share share_;
  TextTemplate filter_;
  std::function<void()> on_done_;
  bool started_ = false;
  bool draining_ = false;
  std::size_t present_ = 0;    // connections that are open, opening or closing
  std::uint64_t to_come_ = 0;  // connections that may still be opened; by number, not duration
  std::vector<Client*> to_open_;
  std::uint64_t progress_ = 0;
};

}  // namespace hub::bench
