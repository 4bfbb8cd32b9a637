#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/chaos/fleet.h"
#include "tests/chaos/hub_under_test.h"
#include "tests/support/database_server.h"
#include "tests/support/fault_proxy.h"

namespace hub::test {

// All that can be done to the hub, to its database, to what is between them, and to the devices.
// Each fault begins, lasts for a random time, and ends; afterwards hub and database run.
class Faults {
 public:
  struct World {
    HubUnderTest& hub;
    DatabaseServer& database;
    FaultProxy& proxy;
    Fleet& fleet;
    std::string database_url;  // not by the proxy
  };
  struct Allowed {
    std::string only{};       // a part of the names of those to choose from; empty: all
    bool power_cuts = false;  // the database's machine may lose power
    bool spools = false;      // the hub has a spool
    bool hub_power_cuts = false;
  };
  Faults(World world, const Allowed& allowed);

  // Draws one, carries it out and returns its name.
  std::string_view strike(std::mt19937_64& random);
  // After a random time.
  void pause(std::mt19937_64& random, int least_ms, int most_ms) const;

  // How often each was carried out.
  [[nodiscard]] const std::map<std::string_view, std::uint64_t>& counts() const { return counts_; }
  [[nodiscard]] static std::vector<std::string_view> names();

 private:
  using Random = std::mt19937_64;
  enum class Needs : std::uint8_t { nothing, power_cuts, spool, hub_power_cuts };
  struct Fault {
    std::string_view name;
    unsigned weight;
    void (Faults::*carry_out)(Random&);
    Needs needs = Needs::nothing;
  };
  static const std::vector<Fault>& all();

  void kill_hub(Random& random);
  void stop_hub(Random& random);
  void stop_database(Random& random);
  void crash_database(Random& random);
  void kill_database(Random& random);
  void kill_backend(Random& random);
  void terminate_backends(Random& random);
  void cut_power(Random& random);
  void lock_table(Random& random);
  void cut_links(Random& random);
  void cut_at_commit(Random& random);
  void half_close(Random& random);
  void stall(Random& random);
  void black_hole(Random& random);
  void refuse(Random& random);
  void delay(Random& random);
  void disturb_devices(Random& random);
  void take_over_in_outage(Random& random);
  void kill_hub_in_stall(Random& random);
  void kill_hub_in_delay(Random& random);
  void kill_hub_at_commit(Random& random);
  void kill_hub_in_lock(Random& random);
  void kill_both(Random& random);
  void long_outage(Random& random);
  void kill_hub_in_outage(Random& random);
  void kill_hub_while_draining(Random& random);
  void cut_hub_power(Random& random);

  void disturb(Random& random, std::size_t devices);
  void stop_until_spooling(Random& random);
  void restart_database(Random& random, void (DatabaseServer::*end)());
  void restart_hub();
  void restart_hub_in_trouble(Random& random, int most_ms, const std::function<void()>& end);

  World world_;
  const bool spools_;
  std::vector<Fault> choice_;
  std::map<std::string_view, std::uint64_t> counts_;
};

}  // namespace hub::test
