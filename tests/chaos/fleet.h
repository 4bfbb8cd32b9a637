#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/chaos/workload.h"
#include "tests/support/durable_device.h"

namespace hub::test {

// Where the hub is while it runs. Each run has a number, so that a connection which breaks can be
// told from one that was broken.
class HubAddress {
 public:
  struct Run {
    std::uint16_t port = 0;
    std::uint64_t number = 0;
  };
  void set(std::uint16_t port);
  void clear();  // before the hub is ended
  // Waits a little for a run.
  [[nodiscard]] std::optional<Run> wait() const;
  [[nodiscard]] bool still(const Run& run) const;

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  Run run_;
};

// The devices of the campaign, a thread each, and one more client that sends nothing but pings.
class Fleet {
 public:
  Fleet(const HubAddress& hub, std::size_t devices, unsigned messages_per_second);
  ~Fleet();
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;

  // Publish from now on.
  void load();
  // A last message, of QoS 1 at least, from each device, and then nothing but what is open. True
  // when all is acknowledged within the bound.
  [[nodiscard]] bool settle(std::chrono::seconds bound);

  // Makes a device disconnect, vanish or take itself over at its next step.
  void disturb(std::size_t device, DurableDevice::Step step);
  [[nodiscard]] std::size_t size() const { return members_.size(); }

  // While it is settled.
  [[nodiscard]] const DeviceProfile& profile(std::size_t device) const;
  [[nodiscard]] const DurableDevice& device(std::size_t device) const;
  void forget_records();

  // What the hub must not have done to a client; each once.
  [[nodiscard]] std::vector<std::string> take_complaints();
  [[nodiscard]] std::uint64_t pings_answered() const { return pings_answered_; }

 private:
  enum class Mode : std::uint8_t { settle, load };
  struct Member {
    DeviceProfile profile;
    DurableDevice device;
    std::atomic<DurableDevice::Step> disturbance = DurableDevice::Step::publish;  // none
    std::chrono::steady_clock::time_point next_publish{};
    bool last_sent = true;  // in mode `settle`
    bool settled = true;    // guarded by Fleet::mutex_
    std::thread thread{};
  };

  void serve(Member& member);
  DurableDevice::Step next_step(Member& member);
  void ping();
  void complain(std::string text);

  const HubAddress& hub_;
  const std::chrono::nanoseconds interval_;  // between two messages of a device
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<Mode> mode_ = Mode::settle;
  std::atomic<bool> ending_ = false;
  std::vector<std::unique_ptr<Member>> members_;
  std::vector<std::string> complaints_;  // guarded by mutex_
  std::atomic<std::uint64_t> pings_answered_ = 0;
  std::thread pinger_;
};

}  // namespace hub::test
