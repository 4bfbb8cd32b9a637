#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <functional>
#include <map>
#include <memory>
#include <pqxx/pqxx>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "instances/accounts/accounts.h"
#include "instances/accounts/verification.h"
#include "instances/core/calendar.h"
#include "instances/core/errc.h"
#include "instances/databases/rds.h"
#include "instances/hubs/hubs.h"
#include "instances/money/bookkeeping.h"
#include "instances/money/charges.h"
#include "instances/money/wallet.h"
#include "instances/networks/networks.h"
#include "instances/networks/security_groups.h"
#include "instances/operations/lifecycle.h"
#include "instances/operations/purchase.h"
#include "instances/operations/worker.h"
#include "tests/support/postgres_fixture.h"

namespace hub::instances {

// Not a std::exception: nothing but a test catches it, as nothing catches a kill.
struct Killed {};

// Counts the instants at which a kill makes a difference, and kills at the one asked for.
class Killer {
 public:
  void kill_at(int instant) {
    left_ = instant;
    armed_ = true;
  }
  void disarm() { armed_ = false; }
  void instant() {
    if (armed_ && --left_ == 0) {
      armed_ = false;
      throw Killed{};
    }
  }

 private:
  int left_ = 0;
  bool armed_ = false;
};

class ManualClock final : public Clock {
 public:
  Timestamp time = start_of(Day{std::chrono::year{2019} / 4 / 1}) + std::chrono::hours{10};
  Killer* killer = nullptr;

  [[nodiscard]] Timestamp now() const override {
    if (killer) killer->instant();
    return time;
  }
};

// A machine in memory. It insists on the order of things, and can be told to fail.
class FakeProvider final : public Provider {
 public:
  std::set<std::string> vpcs, subnets, databases, hubs, stopped;
  std::map<std::string, PortSpec> ports;
  std::map<std::string, EndpointSpec> endpoints;
  std::map<std::string, std::string> configurations;
  std::set<std::uint16_t> taken_ports;
  std::map<std::string, std::pair<int, ProviderError::Next>> failures;  // call, how often, how
  std::map<std::string, ProcessStatus> statuses;
  std::uint64_t stored_bytes = 0;  // by each database
  std::vector<std::string> calls;
  Killer* killer = nullptr;

  Isolation isolation() const override { return Isolation::namespaces; }
  std::vector<std::string> notes() const override { return {}; }

  void ensure_vpc(const VpcSpec& spec) override {
    act("ensure_vpc", [&] { vpcs.insert(spec.vpc_id); });
  }
  void ensure_subnet(const SubnetSpec& spec) override {
    act("ensure_subnet", [&] {
      ASSERT_TRUE(vpcs.contains(spec.vpc_id));
      subnets.insert(spec.subnet_id);
    });
  }
  Ipv4 ensure_port(const PortSpec& spec) override {
    act("ensure_port", [&] {
      ASSERT_TRUE(subnets.contains(spec.subnet_id));
      ports[spec.instance_id] = spec;
    });
    return spec.address;
  }
  DatabaseHandle ensure_database(const DatabaseSpec& spec) override {
    act("ensure_database", [&] {
      ASSERT_TRUE(ports.contains(spec.instance_id));
      databases.insert(spec.instance_id);
      stopped.erase(spec.instance_id);
    });
    return {"postgresql:///postgres?host=/nowhere"};
  }
  void backup_database(const std::string&, const std::string&,
                       const std::filesystem::path&) override {
    act("backup_database", [] {});
  }
  void restore_database(const std::string&, const std::string&,
                        const std::filesystem::path&) override {
    act("restore_database", [] {});
  }
  void ensure_hub(const HubSpec& spec) override {
    act("ensure_hub", [&] {
      ASSERT_TRUE(ports.contains(spec.instance_id));
      hubs.insert(spec.instance_id);
      stopped.erase(spec.instance_id);
      configurations[spec.instance_id] = spec.configuration;
    });
  }
  void stop(const std::string& id, std::chrono::seconds) override {
    act("stop", [&] { stopped.insert(id); });
  }
  ProcessStatus status(const std::string& id) const override {
    if (const auto told = statuses.find(id); told != statuses.end()) return told->second;
    ProcessStatus status;
    const bool there = hubs.contains(id) || databases.contains(id) || endpoints.contains(id);
    if (there && !stopped.contains(id)) status.state = ProcessStatus::State::running;
    return status;
  }
  std::uint64_t storage_bytes(const std::string&) const override { return stored_bytes; }
  Endpoint ensure_endpoint(const EndpointSpec& spec) override {
    act("ensure_endpoint", [&] {
      if (taken_ports.contains(spec.public_port))
        throw ProviderError(ProviderError::Next::another_port, "the port is taken");
      endpoints[spec.endpoint_id] = spec;
    });
    return {"hub.example", spec.public_port};
  }
  FileDescriptor dial(const std::string& id, std::uint16_t, std::chrono::milliseconds) override {
    act("dial", [&] {
      if (!hubs.contains(id) || stopped.contains(id))
        throw ProviderError(ProviderError::Next::retry, "connection refused");
    });
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    EXPECT_EQ(::write(ends[1], "\x20\x02\x00\x00", 4), 4);
    peers_.emplace_back(ends[1]);
    return FileDescriptor(ends[0]);
  }
  void remove(ResourceKind kind, const std::string& id) override {
    act("remove", [&] {
      switch (kind) {
        case ResourceKind::vpc:
          vpcs.erase(id);
          break;
        case ResourceKind::subnet:
          subnets.erase(id);
          break;
        case ResourceKind::port:
          ports.erase(id);
          break;
        case ResourceKind::database:
          databases.erase(id);
          break;
        case ResourceKind::hub:
          hubs.erase(id);
          break;
        case ResourceKind::endpoint:
          endpoints.erase(id);
          break;
      }
    });
  }
  std::vector<Owned> list() const override {
    std::vector<Owned> all;
    for (const auto& id : vpcs) all.push_back({ResourceKind::vpc, id});
    for (const auto& id : subnets) all.push_back({ResourceKind::subnet, id});
    for (const auto& [id, spec] : ports) all.push_back({ResourceKind::port, id});
    for (const auto& id : databases) all.push_back({ResourceKind::database, id});
    for (const auto& id : hubs) all.push_back({ResourceKind::hub, id});
    for (const auto& [id, spec] : endpoints) all.push_back({ResourceKind::endpoint, id});
    return all;
  }

  // All that is there of one hub or database.
  [[nodiscard]] bool has_any_of(const std::string& id) const {
    return ports.contains(id) || databases.contains(id) || hubs.contains(id) ||
           endpoints.contains("ep-" + id.substr(4));
  }

  void fail(const std::string& call, int times, ProviderError::Next next) {
    failures[call] = {times, next};
  }

 private:
  template <class F>
  void act(const std::string& name, F&& effect) {
    calls.push_back(name);
    if (killer) killer->instant();
    if (auto& [left, next] = failures[name]; left > 0) {
      --left;
      throw ProviderError(next, name + " failed as it was told to");
    }
    effect();
    if (killer) killer->instant();
  }

  std::vector<FileDescriptor> peers_;
};

class FakeClusters final : public ClusterAdmin {
 public:
  std::set<std::string> initialized;  // URLs
  std::set<std::string> roles;
  std::vector<UsageOfDay> counted;
  std::string admin_name, admin_password;
  bool broken = false;
  bool read_only = false;

  void prepare(const std::string&, const std::string&, const std::string& name,
               const std::string& password) override {
    admin_name = name;
    if (!password.empty()) admin_password = password;
  }
  void reach(const std::string&) override {
    if (broken) throw std::runtime_error("no answer");
  }
  void initialize(const std::string& url) override { initialized.insert(url); }
  std::string problem(const std::string& url) override {
    return initialized.contains(url) && !broken ? "" : "no table telemetry";
  }
  void ensure_role(const std::string&, const std::string& role, const std::string&) override {
    roles.insert(role);
  }
  void drop_role(const std::string&, const std::string& role) override { roles.erase(role); }
  void recreate(const std::string&, const std::string&) override {}
  void set_read_only(const std::string&, bool wanted) override {
    if (broken) throw std::runtime_error("no answer");
    read_only = wanted;
  }
  std::vector<UsageOfDay> usage(const std::string&, const std::string&, Day since,
                                std::int64_t) override {
    if (broken) throw std::runtime_error("no answer");
    std::vector<UsageOfDay> days;
    for (const auto& day : counted)
      if (day.day >= since) days.push_back(day);
    return days;
  }
};

// Expects that `work` refuses with `code`, and that the text says what to do.
template <class F>
void expect_refusal(Errc code, F&& work) {
  try {
    work();
    ADD_FAILURE() << "not refused: " << name_of(code) << " was expected";
  } catch (const Refusal& refusal) {
    EXPECT_EQ(name_of(refusal.code()), name_of(code)) << refusal.what();
  }
}

// A control plane on a database of its own, with a machine in memory and the time in hand.
class World : public ::testing::Test {
 protected:
  // The store is shared by the cases, and begins anew for each.
  World() : store(shared_store()), database(store.url()) {
    store.query("DROP SCHEMA IF EXISTS manage CASCADE");
    database.migrate();
  }

  template <class F>
  auto in(F&& work) {
    return database.transact([&](Tx& tx) { return work(Call{tx, clock.time, settings}); });
  }
  template <class F>
  void refused(Errc code, F&& work) {
    expect_refusal(code, [&] { in(std::forward<F>(work)); });
  }

  Machinery machinery() { return {database, clock, settings, provider, clusters, claims}; }

  // An account, verified, with that much cash.
  std::string account(const std::string& name, Money cash = yuan(100)) {
    return in([&](const Call& call) {
      const auto id = create_account(call, name, std::nullopt).id;
      const auto hash = "verified " + name;
      call.tx.exec_params(
          "INSERT INTO verification (account_id, kind, status, subject, identity_hash, details, "
          "updated_at) VALUES ($1, 'personal', 'verified', 'Someone', convert_to($2, 'UTF8'), '', "
          "$3)",
          id, hash, sql(call.now));
      if (cash > Money{}) deposit(call, id, cash, "first of " + name);
      return id;
    });
  }

  // Works until nothing is left to do, however long the pauses are.
  void work() {
    Worker worker{machinery()};
    for (int turn = 0; turn < 400; ++turn) {
      if (worker.run_one()) continue;
      if (store.count("SELECT count(*) FROM manage.operation "
                      "WHERE status IN ('running', 'undoing')") == 0)
        return;
      clock.time += std::chrono::seconds{1};
    }
    ADD_FAILURE() << "the work does not end: "
                  << store.query("SELECT kind, status, step, message FROM manage.operation");
  }

  void buy(const std::string& account_id, const Order& order) {
    in([&](const Call& call) {
      confirm_order(call, account_id, order.number, true);
      pay_order(call, account_id, order.number, std::nullopt);
    });
  }

  void make_network(const std::string& account_id) {
    in([&](const Call& call) {
      create_vpc(call, account_id, {.name = "plant", .prefix = "10.1.0.0/16", .description = {}});
      create_subnet(call, account_id,
                    {.vpc = "plant", .name = "line1", .prefix = "10.1.1.0/24", .description = {}});
    });
  }
  static NewRds new_rds(const std::string& name = "db") {
    NewRds rds;
    rds.name = name;
    rds.vpc = "plant";
    rds.subnet = "line1";
    return rds;
  }
  static NewHub new_hub(const std::string& name = "hub1") {
    NewHub hub;
    hub.name = name;
    hub.vpc = "plant";
    hub.subnet = "line1";
    hub.rds = "db";
    return hub;
  }
  // A network and a database that is running and initialised.
  void make_place(const std::string& account_id) {
    make_network(account_id);
    buy(account_id,
        in([&](const Call& call) { return order_rds(call, account_id, new_rds()).order; }));
    work();
    in([&](const Call& call) { return initialize_rds(call, account_id, "db"); });
    work();
  }
  Hub make_hub(const std::string& account_id) {
    make_place(account_id);
    buy(account_id, in([&](const Call& call) { return order_hub(call, account_id, new_hub()); }));
    work();
    return hub(account_id);
  }
  Hub hub(const std::string& account_id, const std::string& ref = "hub1") {
    return in([&](const Call& call) { return get_hub(call, account_id, ref); });
  }
  Rds rds(const std::string& account_id, const std::string& ref = "db") {
    return in([&](const Call& call) { return get_rds(call, account_id, ref); });
  }
  Money cash(const std::string& account_id) {
    return in([&](const Call& call) { return get_wallet(call, account_id).cash; });
  }

  // What must hold at every moment, whatever happened.
  void expect_sound() {
    EXPECT_EQ(store.count("SELECT count(*) FROM (SELECT entry_id FROM manage.ledger_line "
                          "GROUP BY 1 HAVING sum(amount_micro) <> 0) x"),
              0);
    EXPECT_EQ(store.count("SELECT count(*) FROM manage.ledger_account a WHERE balance_micro <> "
                          "(SELECT coalesce(sum(amount_micro), 0) FROM manage.ledger_line "
                          "WHERE ledger_account_id = a.id)"),
              0);
    EXPECT_EQ(store.count("SELECT coalesce(sum(balance_micro), 0) FROM manage.ledger_account"), 0);
  }

  static test::TestDatabase& shared_store() {
    static test::TestDatabase shared;
    return shared;
  }

  test::TestDatabase& store;
  Database database;
  Settings settings;
  ManualClock clock;
  FakeProvider provider;
  FakeClusters clusters;
  Claims claims;
};

inline Timestamp at(int year, unsigned month, unsigned day, int hour, int minute, int second = 0) {
  return start_of(
             Day{std::chrono::year{year} / std::chrono::month{month} / std::chrono::day{day}}) +
         std::chrono::hours{hour} + std::chrono::minutes{minute} + std::chrono::seconds{second};
}

}  // namespace hub::instances
