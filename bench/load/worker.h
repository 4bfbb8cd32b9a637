#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "bench/load/engine.h"

namespace hub::bench {

// What one of several workers does of a run: every `stride`th client, from `first`.
struct Share {
  std::uint32_t first = 0;
  std::uint32_t stride = 1;

  [[nodiscard]] std::uint32_t size_of(std::uint32_t all) const noexcept {
    return first < all ? (all - first + stride - 1) / stride : 0;
  }
  [[nodiscard]] std::uint32_t global(std::uint32_t local) const noexcept {
    return first + local * stride;
  }
};

// One thread's part of a run: its connections, and what they do once all are open. Every call on
// the thread that runs engine().context().
class Worker : public Driver {
 public:
  Worker(const Target& target, std::uint32_t clients) : engine_(target, clients, *this) {}

  [[nodiscard]] Engine& engine() noexcept { return engine_; }

  // Begins the work. on_done is called when all is sent, answered and delivered, or when no
  // connection is left to do it; it may be called again later.
  virtual void start(std::function<void()> on_done) = 0;
  // Begins nothing new; what is on its way is awaited.
  virtual void drain() = 0;
  // Ends at once, and counts what has not been answered or delivered.
  virtual void give_up() = 0;
  // Grows with what comes from the broker: when it stands still, the run is stuck.
  [[nodiscard]] virtual std::uint64_t progress() const noexcept = 0;

  // What was counted so far; the histograms hold what came since the snapshot before.
  [[nodiscard]] virtual Counters snapshot() {
    Counters now = engine_.counters();
    engine_.counters().latency.clear();
    engine_.counters().send_lag.clear();
    return now;
  }

 private:
  Engine engine_;
};

// The worker for options.mode. `options` must outlive it. Throws std::invalid_argument for a topic
// or payload that the mode cannot use.
[[nodiscard]] std::unique_ptr<Worker> make_worker(const Options& options, Share share);

}  // namespace hub::bench
