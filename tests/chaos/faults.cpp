#include "tests/chaos/faults.h"

#include <fmt/format.h>
#include <poll.h>

#include <csignal>
#include <stdexcept>
#include <thread>

#include "tests/chaos/sql_connection.h"
#include "tests/support/program.h"

namespace hub::test {
namespace {

int number(std::mt19937_64& random, int least, int most) {
  return std::uniform_int_distribution<int>{least, most}(random);
}

FaultProxy::CommitCut any_cut(std::mt19937_64& random) {
  return static_cast<FaultProxy::CommitCut>(number(random, 0, 3));
}

constexpr int kBriefMs[] = {20, 900};
// Longer than the hub waits for an answer in the campaign.
constexpr int kLongMs[] = {2'200, 3'500};
// Longer than the hub waits before it spools in the campaign.
constexpr int kSpoolingMs[] = {1'100, 2'600};

}  // namespace

const std::vector<Faults::Fault>& Faults::all() {
  static const std::vector<Fault> faults{
      {"kill_hub", 4, &Faults::kill_hub},
      {"stop_hub", 1, &Faults::stop_hub},
      {"stop_database", 1, &Faults::stop_database},
      {"crash_database", 1, &Faults::crash_database},
      {"kill_database", 3, &Faults::kill_database},
      {"kill_backend", 2, &Faults::kill_backend},
      {"terminate_backends", 1, &Faults::terminate_backends},
      {"lock_table", 1, &Faults::lock_table},
      {"cut_links", 2, &Faults::cut_links},
      {"cut_at_commit", 5, &Faults::cut_at_commit},
      {"half_close", 1, &Faults::half_close},
      {"stall", 1, &Faults::stall},
      {"black_hole", 2, &Faults::black_hole},
      {"refuse", 1, &Faults::refuse},
      {"delay", 1, &Faults::delay},
      {"disturb_devices", 3, &Faults::disturb_devices},
      {"take_over_in_outage", 3, &Faults::take_over_in_outage},
      {"kill_hub_in_stall", 2, &Faults::kill_hub_in_stall},
      {"kill_hub_in_delay", 1, &Faults::kill_hub_in_delay},
      {"kill_hub_at_commit", 3, &Faults::kill_hub_at_commit},
      {"kill_hub_in_lock", 2, &Faults::kill_hub_in_lock},
      {"kill_both", 2, &Faults::kill_both},
      {"cut_power", 6, &Faults::cut_power, Needs::power_cuts},
      {"long_outage", 4, &Faults::long_outage, Needs::spool},
      {"kill_hub_in_outage", 4, &Faults::kill_hub_in_outage, Needs::spool},
      {"kill_hub_while_draining", 6, &Faults::kill_hub_while_draining, Needs::spool},
      {"cut_hub_power", 6, &Faults::cut_hub_power, Needs::hub_power_cuts},
  };
  return faults;
}

std::vector<std::string_view> Faults::names() {
  std::vector<std::string_view> out;
  for (const Fault& fault : all()) out.push_back(fault.name);
  return out;
}

Faults::Faults(World world, const Allowed& allowed)
    : world_(std::move(world)), spools_(allowed.spools) {
  const auto possible = [&](Needs needs) {
    switch (needs) {
      case Needs::power_cuts:
        return allowed.power_cuts;
      case Needs::spool:
        return allowed.spools;
      case Needs::hub_power_cuts:
        return allowed.hub_power_cuts;
      case Needs::nothing:
        break;
    }
    return true;
  };
  for (const Fault& fault : all()) {
    if (fault.name.find(allowed.only) == std::string_view::npos) continue;
    if (possible(fault.needs)) choice_.push_back(fault);
  }
  if (choice_.empty()) throw std::runtime_error("there is no such fault");
}

std::string_view Faults::strike(Random& random) {
  unsigned sum = 0;
  for (const Fault& fault : choice_) sum += fault.weight;
  auto left = static_cast<unsigned>(number(random, 0, static_cast<int>(sum) - 1));
  const Fault* chosen = choice_.data();
  while (left >= chosen->weight) left -= chosen++->weight;
  (this->*chosen->carry_out)(random);
  ++counts_[chosen->name];
  return chosen->name;
}

void Faults::pause(Random& random, int least_ms, int most_ms) const {
  ::poll(nullptr, 0, number(random, least_ms, most_ms));
}

void Faults::restart_hub() { world_.hub.start(); }

// Ends the trouble once the hub is ready and at most so much time has passed. What a spool has goes
// into the database before the hub is ready, and through the trouble that may take for ever: then
// it ends while the hub starts.
void Faults::restart_hub_in_trouble(Random& random, int most_ms, const std::function<void()>& end) {
  const auto end_later = [&end, ms = number(random, 0, most_ms)] {
    ::poll(nullptr, 0, ms);
    end();
  };
  if (spools_) {
    const std::jthread meanwhile{end_later};
    restart_hub();
  } else {
    restart_hub();
    end_later();
  }
}

void Faults::kill_hub(Random& random) {
  world_.hub.kill();
  pause(random, 0, 100);
  restart_hub();
}

void Faults::stop_hub(Random&) {
  world_.hub.stop();
  restart_hub();
}

void Faults::restart_database(Random& random, void (DatabaseServer::*end)()) {
  (world_.database.*end)();
  pause(random, kBriefMs[0], kBriefMs[1]);
  world_.database.start();
}

void Faults::stop_database(Random& random) { restart_database(random, &DatabaseServer::stop); }
void Faults::crash_database(Random& random) { restart_database(random, &DatabaseServer::crash); }
void Faults::kill_database(Random& random) { restart_database(random, &DatabaseServer::kill); }

void Faults::cut_power(Random& random) {
  const bool with_hub = number(random, 0, 2) == 0;  // they were one machine
  if (with_hub) world_.hub.kill();
  restart_database(random, &DatabaseServer::power_cut);
  restart_hub();
}

// As the kernel does when memory runs out: the server restarts all its processes. It is waited for:
// PostgreSQL 15 that is told to stop while it recovers from this may never end.
void Faults::kill_backend(Random&) {
  const auto recoveries = [&] {
    constexpr std::string_view kBegins = "all server processes terminated; reinitializing";
    const std::string log = world_.database.log();
    int count = 0;
    for (std::size_t at = 0; (at = log.find(kBegins, at)) != std::string::npos; ++at) ++count;
    return count;
  };
  int expected = recoveries();
  SqlConnection database{world_.database_url};
  for (const auto& row : database.query("SELECT pid FROM pg_stat_activity WHERE application_name = "
                                        "'iothub' ORDER BY random() LIMIT 1")) {
    expected += ::kill(std::stoi(row[0]), SIGKILL) == 0 ? 1 : 0;
  }
  const bool back = eventually([&] {
    if (recoveries() < expected) return false;
    try {
      SqlConnection again{world_.database_url};
      return true;
    } catch (const std::runtime_error&) {
      return false;
    }
  });
  if (!back) throw std::runtime_error("PostgreSQL did not recover:\n" + world_.database.log());
}

void Faults::terminate_backends(Random&) {
  SqlConnection{world_.database_url}.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'iothub'");
}

void Faults::lock_table(Random& random) {
  SqlConnection database{world_.database_url};
  const auto& rules = table_rules();
  database.query(fmt::format("BEGIN; LOCK TABLE {}", rules[random() % rules.size()].name));
  pause(random, kBriefMs[0], number(random, 0, 3) == 0 ? kLongMs[1] : kBriefMs[1]);
  database.query("ROLLBACK");
}

void Faults::cut_links(Random& random) {
  for (int i = number(random, 1, 5); i > 0; --i) {
    world_.proxy.cut();
    pause(random, 0, 60);
  }
}

void Faults::cut_at_commit(Random& random) {
  for (int i = number(random, 1, 6); i > 0; --i) {
    world_.proxy.cut_at_commit(any_cut(random));
    pause(random, 10, 150);
  }
  world_.proxy.heal();
}

void Faults::half_close(Random& random) {
  world_.proxy.half_close(number(random, 0, 1) == 0 ? FaultProxy::Side::hub
                                                    : FaultProxy::Side::server);
  pause(random, kBriefMs[0], kBriefMs[1]);
  world_.proxy.heal();
}

void Faults::stall(Random& random) {
  world_.proxy.stall();
  pause(random, kBriefMs[0], number(random, 0, 1) == 0 ? kLongMs[1] : kBriefMs[1]);
  world_.proxy.heal();
}

void Faults::black_hole(Random& random) {
  world_.proxy.black_hole();
  pause(random, kBriefMs[0], number(random, 0, 1) == 0 ? kLongMs[1] : kBriefMs[1]);
  world_.proxy.heal();
}

void Faults::refuse(Random& random) {
  world_.proxy.refuse();
  world_.proxy.cut();
  pause(random, kBriefMs[0], kBriefMs[1]);
  world_.proxy.heal();
}

void Faults::delay(Random& random) {
  world_.proxy.delay(std::chrono::milliseconds{number(random, 1, 300)});
  pause(random, kBriefMs[0], kBriefMs[1]);
  world_.proxy.heal();
}

void Faults::disturb(Random& random, std::size_t devices) {
  using Step = DurableDevice::Step;
  constexpr Step kSteps[] = {Step::vanish, Step::take_over, Step::take_over, Step::disconnect};
  for (std::size_t i = 0; i < devices; ++i) {
    world_.fleet.disturb(random() % world_.fleet.size(), kSteps[random() % std::size(kSteps)]);
  }
}

void Faults::disturb_devices(Random& random) {
  for (int i = number(random, 1, 10); i > 0; --i) {
    disturb(random, world_.fleet.size() / 2);
    pause(random, 0, 60);
  }
}

// Acknowledgements of one connection become due when the next one is there.
void Faults::take_over_in_outage(Random& random) {
  const bool long_one = number(random, 0, 1) == 0;
  if (number(random, 0, 1) == 0) {
    world_.proxy.stall();
  } else {
    world_.proxy.delay(std::chrono::milliseconds{number(random, 5, 100)});
  }
  for (int i = number(random, 1, long_one ? 25 : 8); i > 0; --i) {
    disturb(random, world_.fleet.size());
    pause(random, 10, 100);
  }
  world_.proxy.heal();
}

// What the killed hub had sent arrives after the next one has started.
void Faults::kill_hub_in_stall(Random& random) {
  world_.proxy.stall();
  pause(random, 10, 200);
  world_.hub.kill();
  restart_hub_in_trouble(random, 300, [this] { world_.proxy.heal(); });
}

void Faults::kill_hub_in_delay(Random& random) {
  world_.proxy.delay(std::chrono::milliseconds{number(random, 20, 400)});
  pause(random, 10, 500);
  world_.hub.kill();
  restart_hub_in_trouble(random, 300, [this] { world_.proxy.heal(); });
}

void Faults::kill_hub_at_commit(Random& random) {
  const std::uint64_t before = world_.proxy.commits_cut();
  world_.proxy.cut_at_commit(any_cut(random));
  const bool was_cut =
      eventually([&] { return world_.proxy.commits_cut() > before; }, std::chrono::seconds{2});
  world_.hub.kill();
  if (!was_cut) world_.proxy.heal();  // what the hub commits at its start is not meant
  restart_hub();
  pause(random, 0, 300);
  world_.proxy.heal();
}

void Faults::kill_hub_in_lock(Random& random) {
  SqlConnection database{world_.database_url};
  const auto& rules = table_rules();
  database.query(fmt::format("BEGIN; LOCK TABLE {}", rules[random() % rules.size()].name));
  pause(random, 10, 300);
  world_.hub.kill();
  restart_hub_in_trouble(random, 500, [&database] { database.query("ROLLBACK"); });
}

void Faults::kill_both(Random& random) {
  if (number(random, 0, 1) == 0) {
    world_.hub.kill();
    world_.database.kill();
  } else {
    world_.database.kill();
    pause(random, 0, 50);
    world_.hub.kill();
  }
  world_.database.start();
  restart_hub();
}

void Faults::stop_until_spooling(Random& random) {
  if (number(random, 0, 1) == 0) {
    world_.database.stop();
  } else {
    world_.database.kill();
  }
  pause(random, kSpoolingMs[0], kSpoolingMs[1]);
}

void Faults::long_outage(Random& random) {
  stop_until_spooling(random);
  world_.database.start();
}

void Faults::kill_hub_in_outage(Random& random) {
  stop_until_spooling(random);
  world_.hub.kill();
  world_.database.start();
  restart_hub();
}

// At times while it drains what it has spooled, at times while a start drains.
void Faults::kill_hub_while_draining(Random& random) {
  stop_until_spooling(random);
  world_.database.start();
  for (int i = number(random, 1, 3); i > 0; --i) {
    pause(random, 0, 150);
    world_.hub.kill();
    restart_hub();
  }
}

void Faults::cut_hub_power(Random& random) {
  stop_until_spooling(random);
  world_.hub.cut_power();
  world_.database.start();
  restart_hub();
}

}  // namespace hub::test
