#include <numeric>
#include <random>

#include "instances/money/prices.h"
#include "tests/instances/world.h"

namespace hub::instances {
namespace {

using namespace std::chrono_literals;

// The worked examples of the price lists, and what happens when a bill cannot be paid.
class Settlement : public World {
 protected:
  std::string acme = account("acme", yuan(1000));

  void charge(const std::string& resource, const std::string& mode, Money price,
              const std::string& product = "rds") {
    in([&](const Call& c) {
      start_charging(c, {.resource_id = resource,
                         .account_id = acme,
                         .region = "cn-north-1",
                         .product = product,
                         .mode = mode,
                         .price = price,
                         .months = 1,
                         .auto_renew = false});
    });
  }
  int settle_at(const std::string& resource, Timestamp time) {
    clock.time = std::max(clock.time, time);
    return in([&](const Call& c) { return settle(c, resource); });
  }
  std::vector<Bill> bills(const std::string& resource) {
    auto list = in([&](const Call& c) { return list_bills(c, acme, resource, 0, 1000); });
    std::reverse(list.begin(), list.end());
    return list;
  }
  Money total(const std::string& resource) {
    Money sum;
    for (const auto& bill : bills(resource)) sum += bill.actual;
    return sum;
  }
  void report(const std::string& resource, int day, std::int64_t units, std::int64_t devices) {
    in([&](const Call& c) {
      report_usage(c, resource,
                   {.day = Day{std::chrono::year{2019} / 4 / day},
                    .free_units = 0,
                    .paid_units = units,
                    .active_devices = devices});
    });
  }
};

// Bought 2018-08-02 10:30:00, deleted 08-03 08:25:20, at 1.00 an hour.
TEST_F(Settlement, ByConfigurationChargesEachClockHourToTheSecond) {
  clock.time = at(2018, 8, 2, 10, 30);
  charge("vm", "configuration", yuan(1));
  clock.time = at(2018, 8, 3, 8, 25, 20);
  in([&](const Call& c) { end_charging(c, "vm"); });
  const auto list = bills("vm");
  ASSERT_EQ(list.size(), 23u);
  EXPECT_EQ(list.front().quantity, 1800);
  EXPECT_EQ(list.front().actual, yuan(0, 50));
  for (std::size_t i = 1; i < 22; ++i) EXPECT_EQ(list[i].actual, yuan(1));
  EXPECT_EQ(list.back().quantity, 1520);
  EXPECT_EQ(list.back().fee, Money{422'222});
  EXPECT_EQ(list.back().actual, yuan(0, 42));
  EXPECT_EQ(list.back().erased, Money{2'222});
  EXPECT_EQ(total("vm"), yuan(21, 92));
  EXPECT_EQ(cash(acme), yuan(1000) - yuan(21, 92));
  expect_sound();
}

// Opened 2019-04-01 10:30; the first day's messages are free.
TEST_F(Settlement, ByConsumptionChargesTheTierOfTheDay) {
  clock.time = at(2019, 4, 1, 10, 30);
  charge("hub", "consumption", {}, "hub");
  report("hub", 1, 0, 8);
  report("hub", 2, 200'000, 20);
  report("hub", 3, 1'000'000, 10);
  EXPECT_EQ(settle_at("hub", at(2019, 4, 2, 0, 1)), 2);
  EXPECT_EQ(total("hub"), Money{});
  EXPECT_EQ(settle_at("hub", at(2019, 4, 3, 0, 1)), 2);
  EXPECT_EQ(total("hub"), yuan(4, 24) + yuan(0, 8));
  EXPECT_EQ(settle_at("hub", at(2019, 4, 4, 0, 1)), 2);
  EXPECT_EQ(total("hub"), yuan(4, 24) + yuan(0, 8) + yuan(42, 40));
}

TEST_F(Settlement, ADayIsNotBilledBeforeItIsOver) {
  clock.time = at(2019, 4, 1, 10, 30);
  charge("hub", "consumption", {}, "hub");
  report("hub", 1, 5, 1);
  EXPECT_EQ(settle_at("hub", at(2019, 4, 1, 23, 59, 59)), 0);
  EXPECT_EQ(settle_at("hub", at(2019, 4, 2, 0, 0, 59)), 0);
  EXPECT_EQ(settle_at("hub", at(2019, 4, 2, 0, 1)), 2);
}

TEST_F(Settlement, TheFinalBillIsOfTheDaySoFar) {
  clock.time = at(2019, 4, 1, 10, 30);
  charge("hub", "consumption", {}, "hub");
  report("hub", 1, 5, 11);
  clock.time = at(2019, 4, 1, 12, 0);
  in([&](const Call& c) { end_charging(c, "hub"); });
  EXPECT_EQ(total("hub"), yuan(4, 24));  // and 0.008 for a device, which is less than a cent
  EXPECT_EQ(settle_at("hub", at(2019, 4, 5, 0, 1)), 0);
}

TEST_F(Settlement, MoreThanTheHighestTierIsNoted) {
  clock.time = at(2019, 4, 1, 10, 30);
  charge("hub", "consumption", {}, "hub");
  report("hub", 1, 300'000'001, 0);
  settle_at("hub", at(2019, 4, 2, 0, 1));
  EXPECT_NE(bills("hub").front().note.find("contact sales"), std::string::npos);
}

TEST_F(Settlement, ALaterReportOfADayNeverTakesCountsBack) {
  clock.time = at(2019, 4, 1, 10, 30);
  charge("hub", "consumption", {}, "hub");
  report("hub", 1, 400'001, 3);
  report("hub", 1, 7, 1);
  settle_at("hub", at(2019, 4, 2, 0, 1));
  EXPECT_EQ(total("hub"), yuan(42, 40));
}

TEST_F(Settlement, NothingIsChargedWhileStopped) {
  clock.time = at(2019, 4, 1, 10, 0);
  charge("db", "configuration", yuan(1));
  clock.time = at(2019, 4, 1, 10, 30);
  in([&](const Call& c) { pause_charging(c, "db"); });
  clock.time = at(2019, 4, 1, 12, 45);
  in([&](const Call& c) { resume_charging(c, "db"); });
  settle_at("db", at(2019, 4, 1, 13, 5));
  const auto list = bills("db");
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0].quantity, 1800);
  EXPECT_EQ(list[1].quantity, 900);
}

// However late and often it runs, with whatever gaps, the sum is the same and no hour is twice.
TEST_F(Settlement, BillsEachPeriodOnceHoweverItRuns) {
  std::mt19937 random{42};
  const auto start = at(2019, 4, 1, 10, 17, 13);
  const auto end = at(2019, 4, 3, 15, 42, 7);
  std::set<std::int64_t> sums;
  for (int run = 0; run < 6; ++run) {
    const auto id = "db" + std::to_string(run);
    clock.time = start;
    charge(id, "configuration", Money{250'000});
    while (clock.time < end) {
      const auto step = std::chrono::seconds{1 + random() % (run < 3 ? 4000 : 40000)};
      clock.time = std::min<Timestamp>(end, clock.time + step);
      for (unsigned twice = 0; twice <= random() % 2; ++twice)
        in([&](const Call& c) { return settle(c, id); });
    }
    in([&](const Call& c) { end_charging(c, id); });
    in([&](const Call& c) { end_charging(c, id); });
    const auto list = bills(id);
    std::int64_t seconds = 0;
    Timestamp until = start;
    for (const auto& bill : list) {
      EXPECT_EQ(bill.period_start, until);
      until = bill.period_end;
      seconds += bill.quantity;
    }
    EXPECT_EQ(until, end);
    EXPECT_EQ(seconds, std::chrono::duration_cast<std::chrono::seconds>(end - start).count());
    sums.insert(total(id).micro);
  }
  EXPECT_EQ(sums.size(), 1u);
  expect_sound();
}

TEST_F(Settlement, TheDatabaseRefusesASecondBillOfAPeriod) {
  clock.time = at(2019, 4, 1, 10, 0);
  charge("db", "configuration", yuan(1));
  settle_at("db", at(2019, 4, 1, 11, 5));
  store.query("UPDATE manage.charge SET settled_until = started_at");
  EXPECT_THROW(settle_at("db", at(2019, 4, 1, 11, 6)), std::exception);
  EXPECT_EQ(bills("db").size(), 1u);
}

class Arrears : public Settlement {
 protected:
  Hub made = [this] {
    store.query("SELECT 1");
    return make_hub(acme);
  }();

  // Takes all the cash.
  void become_poor() {
    in([&](const Call& c) {
      lock_account(c, acme);
      pay(c, acme, get_wallet(c, acme).cash, {"hub", "consumption"}, "elsewhere", "");
    });
  }
  void jobs() {
    const auto problems = run_jobs(machinery());
    EXPECT_TRUE(problems.empty()) << problems.front();
    work();
  }
};

TEST_F(Arrears, SuspendAHubAfterADayAndDeleteItAfterSeven) {
  become_poor();
  clusters.counted = {{.day = Day{std::chrono::year{2019} / 4 / 1},
                       .free_units = 0,
                       .paid_units = 1,
                       .active_devices = 1}};
  const auto t0 = at(2019, 4, 2, 0, 2);
  clock.time = t0;
  jobs();
  EXPECT_EQ(hub(acme).state, "running");  // a day of grace
  EXPECT_EQ(in([&](const Call& c) { return get_wallet(c, acme).owed; }) > Money{}, true);
  clock.time = t0 + 24h - 1s;
  jobs();
  EXPECT_EQ(hub(acme).state, "running");
  clock.time = t0 + 25h;
  jobs();
  EXPECT_EQ(hub(acme).state, "suspending");
  EXPECT_TRUE(provider.stopped.contains(made.id));
  clock.time = t0 + 24h * 7 - 1s;
  jobs();
  EXPECT_EQ(hub(acme).state, "suspending");
  clock.time = t0 + 24h * 7 + 1h;
  jobs();
  refused(Errc::NotFound, [&](const Call& c) { get_hub(c, acme, "hub1"); });
  EXPECT_FALSE(provider.has_any_of(made.id));
}

TEST_F(Arrears, EndWhenTheBillsArePaid) {
  become_poor();
  clusters.counted = {{.day = Day{std::chrono::year{2019} / 4 / 1},
                       .free_units = 0,
                       .paid_units = 1,
                       .active_devices = 1}};
  clock.time = at(2019, 4, 2, 0, 2);
  jobs();
  clock.time += 25h;
  jobs();
  EXPECT_EQ(hub(acme).state, "suspending");
  EXPECT_EQ(rds(acme).state, "suspended");
  in([&](const Call& c) { deposit(c, acme, yuan(500), "saved"); });
  jobs();
  EXPECT_EQ(rds(acme).state, "running");
  EXPECT_EQ(hub(acme).state, "running");
  EXPECT_FALSE(provider.stopped.contains(made.id));
  EXPECT_EQ(in([&](const Call& c) { return get_wallet(c, acme).owed; }), Money{});
  expect_sound();
}

TEST_F(Arrears, UsageThatCannotBeReadIsBilledLater) {
  clusters.broken = true;
  clock.time = at(2019, 4, 2, 0, 2);
  EXPECT_EQ(run_jobs(machinery()).size(), 1u);
  EXPECT_TRUE(bills(made.id).empty());
  clusters.broken = false;
  clusters.counted = {{.day = Day{std::chrono::year{2019} / 4 / 1},
                       .free_units = 0,
                       .paid_units = 1,
                       .active_devices = 30}};
  clock.time += 24h * 3;
  jobs();
  EXPECT_EQ(total(made.id), yuan(4, 24) + yuan(0, 16));
}

class Packages : public Settlement {
 protected:
  void SetUp() override {
    make_network(acme);
    auto wanted = new_rds();
    wanted.charge_mode = "monthly";
    wanted.months = 6;
    clock.time = at(2018, 8, 2, 10, 0);
    buy(acme, in([&](const Call& c) { return order_rds(c, acme, wanted).order; }));
    work();
  }
  Timestamp expiry() {
    return *in([&](const Call& c) { return find_charge(c, rds(acme).id); })->expires_at;
  }
  void jobs() {
    run_jobs(machinery());
    work();
  }
};

TEST_F(Packages, RunToTheLastSecondOfTheirLastDay) {
  EXPECT_EQ(expiry(), at(2019, 2, 2, 23, 59, 59));
  EXPECT_EQ(cash(acme), yuan(1000) - yuan(108) * 6);
  ASSERT_EQ(bills(rds(acme).id).size(), 1u);
  EXPECT_EQ(bills(rds(acme).id).front().actual, yuan(648));
  clock.time = expiry() - 1s;
  jobs();
  EXPECT_EQ(rds(acme).state, "running");
  clock.time = expiry();
  jobs();
  EXPECT_EQ(rds(acme).state, "suspended");
  refused(Errc::InvalidState, [&](const Call& c) { order_renewal(c, acme, rds(acme).id, 1); });
  clock.time = expiry() + settings.expired_kept;
  jobs();
  refused(Errc::NotFound, [&](const Call& c) { get_rds(c, acme, "db"); });
}

TEST_F(Packages, AreRenewedByHand) {
  const auto order = in([&](const Call& c) { return order_renewal(c, acme, rds(acme).id, 2); });
  buy(acme, order);
  EXPECT_EQ(expiry(), at(2019, 4, 2, 23, 59, 59));
  EXPECT_EQ(bills(rds(acme).id).size(), 2u);
}

TEST_F(Packages, RenewThemselvesSevenDaysBefore) {
  const auto id = rds(acme).id;
  in([&](const Call& c) { set_auto_renew(c, acme, id, true); });
  clock.time = expiry() - 24h * 7 - 1s;
  jobs();
  EXPECT_EQ(expiry(), at(2019, 2, 2, 23, 59, 59));
  clock.time = expiry() - 24h * 7;
  jobs();
  EXPECT_EQ(expiry(), at(2019, 3, 2, 23, 59, 59));
  jobs();
  EXPECT_EQ(expiry(), at(2019, 3, 2, 23, 59, 59));
}

TEST_F(Packages, StopRenewingThemselvesWhenTheMoneyIsTooLittle) {
  const auto id = rds(acme).id;
  in([&](const Call& c) {
    set_auto_renew(c, acme, id, true);
    lock_account(c, acme);
    pay(c, acme, get_wallet(c, acme).cash, {"rds", "monthly"}, "elsewhere", "");
  });
  clock.time = expiry() - 24h * 7;
  jobs();
  EXPECT_FALSE(in([&](const Call& c) { return find_charge(c, id); })->auto_renew);
}

}  // namespace
}  // namespace hub::instances
