#include "tests/chaos/fleet.h"

#include <fmt/format.h>

#include <stdexcept>

namespace hub::test {

using std::chrono::steady_clock;
using Step = DurableDevice::Step;
using End = DurableDevice::End;

namespace {

constexpr std::chrono::milliseconds kGlance{20};
constexpr std::chrono::milliseconds kPingInterval{50};

}  // namespace

void HubAddress::set(std::uint16_t port) {
  const std::lock_guard lock(mutex_);
  run_ = {port, run_.number + 1};
  changed_.notify_all();
}

void HubAddress::clear() {
  const std::lock_guard lock(mutex_);
  run_.port = 0;
}

std::optional<HubAddress::Run> HubAddress::wait() const {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, kGlance, [this] { return run_.port != 0; });
  if (run_.port == 0) return std::nullopt;
  return run_;
}

bool HubAddress::still(const Run& run) const {
  const std::lock_guard lock(mutex_);
  return run_.port == run.port && run_.number == run.number;
}

Fleet::Fleet(const HubAddress& hub, std::size_t devices, unsigned messages_per_second)
    : hub_(hub),
      interval_(std::chrono::nanoseconds{std::chrono::seconds{1}} / messages_per_second) {
  for (std::size_t i = 0; i < devices; ++i) {
    const DeviceProfile profile = device_profile(i);
    DurableDevice::Options options;
    options.client_id = profile.client_id;
    options.version = i % 4 == 3 ? mqtt::ProtocolVersion::v311 : mqtt::ProtocolVersion::v5;
    options.window = i % 5 == 4 ? 400 : 10 + i * 7 % 60;
    options.subscribes = i % 2 == 0;
    options.reuses_ids = i / 2 % 2 == 0;
    members_.push_back(
        std::make_unique<Member>(profile, DurableDevice{options, [profile](std::uint64_t number) {
                                                          return message(profile, number);
                                                        }}));
  }
  for (const auto& member : members_) {
    member->thread = std::thread([this, &own = *member] { serve(own); });
  }
  pinger_ = std::thread([this] { ping(); });
}

Fleet::~Fleet() {
  ending_ = true;
  {
    const std::lock_guard lock(mutex_);
    changed_.notify_all();
  }
  for (const auto& member : members_) member->thread.join();
  pinger_.join();
}

void Fleet::load() {
  const std::lock_guard lock(mutex_);
  for (const auto& member : members_) {
    member->settled = false;
    member->last_sent = false;
  }
  mode_ = Mode::load;
  changed_.notify_all();
}

bool Fleet::settle(std::chrono::seconds bound) {
  std::unique_lock lock(mutex_);
  mode_ = Mode::settle;
  return changed_.wait_for(lock, bound, [this] {
    for (const auto& member : members_) {
      if (!member->settled) return false;
    }
    return true;
  });
}

void Fleet::disturb(std::size_t device, Step step) { members_[device]->disturbance = step; }

const DeviceProfile& Fleet::profile(std::size_t device) const { return members_[device]->profile; }
const DurableDevice& Fleet::device(std::size_t device) const { return members_[device]->device; }

void Fleet::forget_records() {
  for (const auto& member : members_) member->device.forget_records();
}

std::vector<std::string> Fleet::take_complaints() {
  const std::lock_guard lock(mutex_);
  return std::exchange(complaints_, {});
}

void Fleet::complain(std::string text) {
  const std::lock_guard lock(mutex_);
  complaints_.push_back(std::move(text));
}

Step Fleet::next_step(Member& member) {
  if (ending_) return Step::vanish;
  const Step disturbance = member.disturbance.exchange(Step::publish);
  if (disturbance != Step::publish) return disturbance;
  if (mode_ == Mode::settle) {
    if (member.last_sent) return Step::drain;
    member.last_sent = true;
    return Step::publish_sure;
  }
  const auto now = steady_clock::now();
  if (now < member.next_publish) return Step::wait;
  // What was missed while the hub was away is not made up for.
  member.next_publish = std::max(member.next_publish, now - interval_ * 20) + interval_;
  return Step::publish;
}

void Fleet::serve(Member& member) {
  while (!ending_) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return !member.settled || ending_; });
    }
    const auto run = hub_.wait();
    if (!run) continue;
    const End end = member.device.run(run->port, [&] { return next_step(member); });
    if (end == End::drained) {
      const std::lock_guard lock(mutex_);
      if (mode_ == Mode::settle) member.settled = true;
      changed_.notify_all();
    } else if (end == End::misbehaved || (end == End::lost && hub_.still(*run) && !ending_)) {
      complain(fmt::format("device {}: {}", member.profile.client_id, member.device.trouble()));
    }
  }
}

// Whatever the database does, the hub answers.
void Fleet::ping() {
  while (!ending_) {
    const auto run = hub_.wait();
    if (!run) continue;
    try {
      RawMqttClient client{run->port};
      client.connect("pinger");
      while (!ending_ && hub_.still(*run)) {
        if (!client.quiet()) throw std::runtime_error("the hub spoke out of turn");
        ++pings_answered_;
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, kPingInterval, [this] { return ending_.load(); });
      }
    } catch (const std::runtime_error& error) {
      if (hub_.still(*run) && !ending_) complain(fmt::format("pings: {}", error.what()));
    }
  }
}

}  // namespace hub::test
