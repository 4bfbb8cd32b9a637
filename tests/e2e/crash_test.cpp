// SIGKILL under load: what was acknowledged is in the table, at QoS 2 once.
#include <gtest/gtest.h>

#include <atomic>
#include <iterator>
#include <set>
#include <sstream>
#include <thread>

#include "tests/support/durable_device.h"
#include "tests/support/hub_process.h"

namespace hub::test {
namespace {

// Every second message at QoS 2.
DurableDevice device(const std::string& id) {
  return {{.client_id = id, .subscribes = true}, [id](std::uint64_t number) {
            const Qos qos = number % 2 == 0 ? Qos::at_least_once : Qos::exactly_once;
            return DurableDevice::Publication{"devices/" + id + "/telemetry",
                                              "{\"n\": " + std::to_string(number) + ", \"q\": " +
                                                  std::to_string(static_cast<int>(qos)) + "}",
                                              qos};
          }};
}

TEST(Crash, EveryAcknowledgedMessageIsARowAndQos2IsThereOnce) {
  HubProcess hub{{}};
  std::vector<DurableDevice> devices;
  for (int i = 0; i < 6; ++i) devices.push_back(device("d" + std::to_string(i)));

  constexpr int kKills = 4;
  for (int round = 0; round <= kKills; ++round) {
    std::atomic<bool> stop = false;
    // However this scope is left, the devices end.
    struct Threads : std::vector<std::thread> {
      explicit Threads(std::atomic<bool>& stop) : stop_(stop) {}
      ~Threads() {
        stop_ = true;
        join();
      }
      void join() {
        for (std::thread& thread : *this) thread.join();
        clear();
      }
      std::atomic<bool>& stop_;
    } threads{stop};
    // Until the hub goes away, or `stop`, and then until nothing is open.
    for (DurableDevice& device : devices) {
      threads.emplace_back([&, port = hub.port()] {
        const auto end = device.run(port, [&stop] {
          return stop ? DurableDevice::Step::drain : DurableDevice::Step::publish;
        });
        EXPECT_NE(end, DurableDevice::End::misbehaved) << device.trouble();
      });
    }
    // Under load: some thousand rows more than before.
    const long before = std::stol(hub.query("select count(*) from telemetry"));
    ASSERT_TRUE(eventually(
        [&] { return std::stol(hub.query("select count(*) from telemetry")) > before + 2'000; }));
    if (round < kKills) {
      hub.kill();
    } else {
      stop = true;
    }
    threads.join();
    if (round < kKills) hub.start();
  }
  for (const DurableDevice& device : devices) {
    EXPECT_TRUE(device.idle()) << device.client_id() << ": " << device.trouble();
    std::istringstream rows{
        hub.query("select distinct (payload->>'n')::int from telemetry where device = '" +
                  device.client_id() + "'")};
    const std::set<std::uint64_t> stored{std::istream_iterator<std::uint64_t>{rows}, {}};
    std::uint64_t acknowledged = 0;
    for (std::uint64_t number = 1; number <= device.records().size(); ++number) {
      if (!device.records()[number - 1].acknowledged) continue;
      ++acknowledged;
      ASSERT_TRUE(stored.contains(number)) << device.client_id() << " message " << number;
    }
    EXPECT_GT(acknowledged, 0u);
  }
  EXPECT_EQ(hub.query("select device, payload->>'n', count(*) from telemetry "
                      "where payload->>'q' = '2' group by 1, 2 having count(*) > 1"),
            "");
}

}  // namespace
}  // namespace hub::test
