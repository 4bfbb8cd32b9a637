// iothub-chaos: the built hub, a real PostgreSQL and a fleet of devices, and everything that can go
// wrong between them, round after round. README.md says what is checked.
#include <fmt/format.h>
#include <getopt.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <stdexcept>

#include "tests/chaos/audit.h"
#include "tests/chaos/faults.h"
#include "tests/chaos/fleet.h"
#include "tests/chaos/hub_under_test.h"
#include "tests/chaos/report.h"
#include "tests/chaos/sql_connection.h"
#include "tests/support/database_server.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/program.h"

namespace hub::test {
namespace {

constexpr std::chrono::seconds kSettleBound{120};
// A device whose state is lost may never come to an end.
constexpr std::chrono::seconds kSettleBoundWithLosses{15};

struct Settings {
  unsigned rounds = 10;
  std::uint64_t seed = std::random_device{}();
  std::size_t devices = 18;
  unsigned rate = 200;  // messages per second and device
  unsigned faults = 4;  // per round, at most
  std::chrono::seconds duration{0};
  std::size_t memory_bytes = 0;  // 0: as usage() says
  std::string only{};
  bool power_cuts = false;
  bool expect_losses = false;
  bool spools = false;
};

[[noreturn]] void usage(int exit_code) {
  std::string names;
  for (const std::string_view name : Faults::names()) names += fmt::format(" {}", name);
  fmt::print(
      exit_code == 0 ? stdout : stderr,
      "iothub-chaos [options]\n"
      "  --rounds N         rounds; 10 without it\n"
      "  --duration S       no further round after so many seconds\n"
      "  --seed N           of the first round; the others have the numbers after it\n"
      "  --devices N        18 without it\n"
      "  --rate N           messages of each device in a second; 200 without it\n"
      "  --faults N         in each round, at most; 4 without it\n"
      "  --only TEXT        only the faults whose name has TEXT in it\n"
      "  --memory-mib N     what the hub may use; without it 64, and 112 for one that spools\n"
      "  --outage spool     the hub spools, and is killed while it does\n"
      "  --power-cuts       the database's machine loses power, and what was not synced;\n"
      "                     with --outage spool the hub's, too\n"
      "  --expect-losses    the same with fsync=off: fails when nothing is lost; with\n"
      "                     --outage spool the hub's disk only promises to sync\n"
      "faults:{}\n",
      names);
  std::exit(exit_code);
}

Settings parse(int argc, char** argv) {
  enum Option {
    rounds = 1,
    seed,
    devices,
    rate,
    faults,
    duration,
    memory,
    only,
    cuts,
    losses,
    outage,
    help
  };
  constexpr option kOptions[] = {
      {"rounds", required_argument, nullptr, rounds},
      {"seed", required_argument, nullptr, seed},
      {"devices", required_argument, nullptr, devices},
      {"rate", required_argument, nullptr, rate},
      {"faults", required_argument, nullptr, faults},
      {"duration", required_argument, nullptr, duration},
      {"memory-mib", required_argument, nullptr, memory},
      {"only", required_argument, nullptr, only},
      {"power-cuts", no_argument, nullptr, cuts},
      {"expect-losses", no_argument, nullptr, losses},
      {"outage", required_argument, nullptr, outage},
      {"help", no_argument, nullptr, help},
      {nullptr, 0, nullptr, 0},
  };
  Settings out;
  for (int found = 0; (found = ::getopt_long(argc, argv, "", kOptions, nullptr)) != -1;) {
    const auto value = [] { return std::stoull(optarg); };
    switch (found) {
      case rounds:
        out.rounds = static_cast<unsigned>(value());
        break;
      case seed:
        out.seed = value();
        break;
      case devices:
        out.devices = value();
        break;
      case rate:
        out.rate = std::max(1u, static_cast<unsigned>(value()));
        break;
      case faults:
        out.faults = std::max(1u, static_cast<unsigned>(value()));
        break;
      case duration:
        out.duration = std::chrono::seconds{value()};
        break;
      case memory:
        out.memory_bytes = value() << 20;
        break;
      case only:
        out.only = optarg;
        break;
      case cuts:
        out.power_cuts = true;
        break;
      case losses:
        out.power_cuts = out.expect_losses = true;
        break;
      case outage:
        out.spools = std::string_view(optarg) == "spool";
        if (!out.spools && std::string_view(optarg) != "hold") usage(2);
        break;
      case help:
        usage(0);
      default:
        usage(2);
    }
  }
  if (out.memory_bytes == 0) out.memory_bytes = std::size_t{out.spools ? 112u : 64u} << 20;
  if (out.expect_losses) out.only = out.spools ? "cut_hub_power" : "cut_power";
  return out;
}

class Campaign {
 public:
  explicit Campaign(const Settings& settings)
      : settings_(settings),
        database_({.write_loss_library = settings.power_cuts ? HUB_WRITE_LOSS_LIBRARY : ""}),
        proxy_(prepare()),
        hub_(proxy_.url("postgres") + "&connect_timeout=2", address_,
             {.spools = settings.spools,
              .can_lose_power = settings.power_cuts && settings.spools,
              .disk_lies = settings.expect_losses && settings.spools}),
        fleet_(address_, settings.devices, settings.rate),
        faults_({hub_, database_, proxy_, fleet_, database_.url("postgres")},
                {.only = settings.only,
                 .power_cuts = settings.power_cuts,
                 .spools = settings.spools,
                 .hub_power_cuts = settings.power_cuts && settings.spools}) {}

  // True when the rounds went as they should.
  bool run() {
    const auto began = std::chrono::steady_clock::now();
    while (summary_.rounds < settings_.rounds && violations_.empty()) {
      if (settings_.duration.count() > 0 &&
          std::chrono::steady_clock::now() - began > settings_.duration) {
        break;
      }
      round(settings_.seed + summary_.rounds);
      ++summary_.rounds;
    }
    summary_.seconds =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - began);
    summary_.seed = settings_.seed;
    summary_.faults = faults_.counts();
    summary_.commits_cut = proxy_.commits_cut();
    summary_.pings = fleet_.pings_answered();
    summary_.peak_memory_bytes = hub_.peak_memory_bytes();
    summary_.violations = violations_.size();
    print(summary_);
    if (settings_.expect_losses) return !violations_.empty();
    return violations_.empty();
  }

 private:
  // Prepares the database; returns where the proxy finds it.
  std::string prepare() {
    const Outcome init = run_program(
        {built_program("iothub"), "db", "init", "--database", database_.url("postgres")});
    if (init.exit_code != 0) throw std::runtime_error(init.err);
    SqlConnection{database_.url("postgres")}.query(std::string(kTablesSql));
    if (settings_.expect_losses && !settings_.spools) database_.set_fsync(false);
    if (settings_.power_cuts) database_.settle_disk();
    return database_.socket_path();
  }

  void round(std::uint64_t seed) {
    std::mt19937_64 random{seed};
    fleet_.load();
    std::string struck;
    const auto strikes = 1 + random() % settings_.faults;
    for (std::uint64_t i = 0; i < strikes; ++i) {
      faults_.pause(random, 50, 700);
      struck += fmt::format("{}{}", struck.empty() ? "" : ", ", faults_.strike(random));
    }
    faults_.pause(random, 0, 200);
    proxy_.heal();
    const bool settled =
        fleet_.settle(settings_.expect_losses ? kSettleBoundWithLosses : kSettleBound);
    if (!settled) violations_.push_back("messages were not acknowledged after all was well again");
    for (std::string& complaint : fleet_.take_complaints()) {
      violations_.push_back(std::move(complaint));
    }
    if (hub_.failed_stops() > 0) violations_.push_back("the hub did not stop well on SIGTERM");
    if (hub_.peak_memory_bytes() > settings_.memory_bytes) {
      violations_.push_back(fmt::format("the hub has used {} bytes", hub_.peak_memory_bytes()));
    }
    Account account;
    if (settled) {
      if (settings_.spools) hub_.wait_until_drained();
      SqlConnection sql{database_.url("postgres")};
      account = audit(sql, fleet_, violations_);
      if (std::string complaint = hub_.ledger_complaint(database_.url("postgres"));
          !complaint.empty()) {
        violations_.push_back(std::move(complaint));
      }
      fleet_.forget_records();
      sql.query("TRUNCATE plain, raw, keyed, narrow, checked, latest, iothub.dead_letter");
    }
    summary_.account += account;
    fmt::print("round {:3} seed {}: {}: {} messages, {} acknowledged, {} resent, {} violations\n",
               summary_.rounds + 1, seed, struck, account.messages, account.acknowledged,
               account.resends, violations_.size());
    if (!violations_.empty()) show_violations(seed);
    std::fflush(stdout);
  }

  void show_violations(std::uint64_t seed) const {
    constexpr std::size_t kShown = 10;
    for (std::size_t i = 0; i < std::min(kShown, violations_.size()); ++i) {
      fmt::print("VIOLATION (seed {}): {}\n", seed, violations_[i]);
    }
    if (settings_.expect_losses) return;
    fmt::print("--- the hub's log\n{}\n--- PostgreSQL's log\n{}\n", hub_.log(),
               last_part(database_.log()));
  }

  static std::string last_part(const std::string& text) {
    constexpr std::size_t kBytes = 16 * 1024;
    return text.size() > kBytes ? text.substr(text.size() - kBytes) : text;
  }

  const Settings settings_;
  DatabaseServer database_;
  FaultProxy proxy_;
  HubAddress address_;
  HubUnderTest hub_;
  Fleet fleet_;
  Faults faults_;
  Summary summary_;
  std::vector<std::string> violations_;
};

}  // namespace
}  // namespace hub::test

int main(int argc, char** argv) {
  const hub::test::Settings settings = hub::test::parse(argc, argv);
  try {
    return hub::test::Campaign{settings}.run() ? 0 : 1;
  } catch (const std::exception& error) {
    fmt::print(stderr, "iothub-chaos: {}\n", error.what());
    return 2;
  }
}
