#include "tests/chaos/manage/campaign.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/e2e/control_plane_process.h"

namespace hub::chaos {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using test::ControlPlaneProcess;
using test::text_in;
using Clock = std::chrono::steady_clock;

constexpr const char* kAccount = "acme";
constexpr auto kPatience = 60s;

// The books: each line is zero when they are whole.
constexpr const char* kBooks =
    "SELECT (SELECT count(*) FROM (SELECT entry_id FROM manage.ledger_line GROUP BY 1 "
    "         HAVING sum(amount_micro) <> 0) x)"
    "     + (SELECT count(*) FROM manage.ledger_account a WHERE balance_micro <> "
    "         (SELECT coalesce(sum(amount_micro), 0) FROM manage.ledger_line "
    "          WHERE ledger_account_id = a.id))"
    "     + (SELECT abs(coalesce(sum(balance_micro), 0)) FROM manage.ledger_account)";
// Orders that were paid, or are being carried out, of a hub that does not run; and the reverse.
constexpr const char* kOrders =
    "SELECT count(*) FROM manage.purchase_order o LEFT JOIN manage.hub_instance h "
    "ON h.id = o.resource_id WHERE o.product = 'hub' AND h.state <> 'deleted' "
    "AND (o.status IN ('paid', 'dealing')) <> (h.state = 'running')";
// What costs money and does not run.
constexpr const char* kCharges =
    "SELECT count(*) FROM manage.charge c JOIN manage.hub_instance h ON h.id = c.resource_id "
    "WHERE c.ended_at IS NULL AND h.state <> 'running'";
constexpr const char* kAddresses =
    "SELECT count(*) FROM manage.address a JOIN manage.hub_instance h ON h.id = a.instance_id "
    "WHERE h.state <> 'running'";
// The steps at which the latest work of that kind was disturbed; empty when none was.
constexpr const char* kRepeated =
    "SELECT coalesce(string_agg(s.name, '+' ORDER BY s.position), '') "
    "FROM manage.operation_step s WHERE s.attempts > 1 AND s.operation_id = "
    "(SELECT id FROM manage.operation WHERE kind = 'hub.{}' ORDER BY created_at DESC LIMIT 1)";

// What is disturbed, by the name of its operation.
constexpr std::string_view kCreate = "create";
constexpr std::string_view kUpdate = "update";
constexpr std::string_view kDelete = "delete";

void wait(milliseconds time) { ::poll(nullptr, 0, static_cast<int>(time.count())); }

class Campaign {
 public:
  explicit Campaign(const ManageCampaignOptions& options)
      : kills_(options.kills), random_(options.seed) {}

  bool run() {
    plane_.make_account(kAccount, "11010519491231002X");
    plane_.done(kAccount, {"rds", "init", "db"});
    before_ = plane_.on_machine();
    for (const auto action : {kCreate, kUpdate, kDelete}) measure(action);
    for (int i = 1; i <= kills_ && problems_.empty(); ++i) round(i);
    if (problems_.empty()) {
      remove_hub();
      plane_.remove_account(kAccount);
      plane_.stop();
      for (const auto& what : plane_.left_behind()) problems_.push_back("left behind: " + what);
    }
    for (const auto& problem : problems_) fmt::print("VIOLATION: {}\n", problem);
    for (const auto& [what, times] : outcomes_) fmt::print("{:>5}  {}\n", times, what);
    fmt::print("{} rounds, {} kills, {} violations\n", rounds_, killed_, problems_.size());
    return problems_.empty();
  }

 private:
  // What is next in the life of the hub that is there, or is not.
  [[nodiscard]] std::string_view next_action() const {
    if (plane_.only(kAccount, "hub").empty()) return kCreate;
    return last_ == kCreate ? kUpdate : kDelete;
  }
  [[nodiscard]] std::vector<std::string> arguments_of(std::string_view action) const {
    if (action == kCreate) return ControlPlaneProcess::create_hub();
    if (action == kDelete) return {"hub", "delete", "hub1", "--yes"};
    return {"hub", "update", "hub1", "--shards", shards() == 1 ? "2" : "1"};
  }
  [[nodiscard]] std::int64_t shards() const {
    const auto hub = plane_.only(kAccount, "hub");
    return hub.empty() ? 0 : test::number_in(hub, "shards");
  }
  // How often that was begun.
  [[nodiscard]] std::string operations(std::string_view action) const {
    return plane_.query_records(
        fmt::format("SELECT count(*) FROM manage.operation WHERE kind = 'hub.{}'", action));
  }
  void remove_hub() {
    if (!plane_.only(kAccount, "hub").empty()) plane_.done(kAccount, arguments_of(kDelete));
  }

  // How long it takes undisturbed, from the first call on.
  void measure(std::string_view action) {
    const auto arguments = arguments_of(action);
    const auto start = Clock::now();
    plane_.done(kAccount, arguments);
    whole_[action] = std::chrono::duration_cast<milliseconds>(Clock::now() - start);
    fmt::print("{} without a kill takes {} ms\n", action, whole_[action].count());
  }

  // More often early than late: most steps are short, and the last ones wait for the hub.
  milliseconds instant(milliseconds below) {
    const auto part = std::uniform_real_distribution<>(0, 1)(random_);
    return milliseconds{static_cast<int>(part * part * static_cast<double>(below.count()))};
  }

  void kill_and_start() {
    plane_.kill();
    ++killed_;
    plane_.start();
  }

  void round(int number) {
    ++rounds_;
    const auto action = next_action();
    last_ = action;
    // Every third creation cannot succeed, so that the way back is met, too.
    const bool fails = action == kCreate && ++creations_ % 3 == 0;
    if (fails) plane_.query(kAccount, "ALTER SCHEMA iothub RENAME TO away");
    const auto first = instant(whole_[action]);
    const bool twice = random_() % 3 == 0;
    const auto second = instant(whole_[action] / 2);
    const auto shards_before = shards();
    const auto done_before = operations(action);

    const auto user = plane_.begin(kAccount, arguments_of(action));
    wait(first);
    kill_and_start();
    if (twice) {
      wait(second);
      kill_and_start();
    }
    if (!user->process().wait_until(Clock::now() + kPatience))
      problems_.push_back("the command line does not notice that the control plane is gone");
    await_rest();
    if (fails) plane_.query(kAccount, "ALTER SCHEMA away RENAME TO iothub");

    auto outcome = check();
    if (action == kUpdate)
      outcome += shards() == shards_before ? ", at its old size" : ", at its new size";
    const auto repeated = operations(action) == done_before
                              ? ""
                              : plane_.query_records(fmt::format(fmt::runtime(kRepeated), action));
    ++outcomes_[fmt::format("{}: {}", action, outcome)];
    fmt::print("{:>4}: {} killed at {} ms{}{}: {}{}\n", number, action, first.count(),
               twice ? fmt::format(" and {} ms after the start", second.count()) : "",
               fails ? ", cannot succeed" : "", outcome,
               repeated.empty() ? "" : ", repeated " + repeated);
    std::fflush(stdout);
    if (!problems_.empty() || !fails) return;
    remove_hub();
    expect_machine({});
  }

  void await_rest() {
    if (!test::eventually(
            [&] {
              return plane_.query_records(
                         "SELECT count(*) FROM manage.operation "
                         "WHERE status IN ('running', 'undoing')") == "0";
            },
            kPatience))
      problems_.push_back("the work does not end");
  }

  // What became of the hub.
  std::string check() {
    for (const auto& [name, sql] : {std::pair{"the books do not balance", kBooks},
                                    {"an order does not fit its hub", kOrders},
                                    {"a charge without a hub", kCharges},
                                    {"an address without a hub", kAddresses}})
      if (const auto count = plane_.query_records(sql); count != "0")
        problems_.push_back(fmt::format("{} ({})", name, count));

    const auto hub = plane_.only(kAccount, "hub");
    if (hub.empty()) {
      expect_nothing();
      return last_ == kDelete ? "gone" : "not ordered yet when it was killed";
    }
    const auto id = text_in(hub, "instanceId");
    const auto status = text_in(hub, "status");
    if (status == "RUNNING") {
      const auto port = plane_.namespace_of(id);
      const auto endpoint = "endpoints/ep-" + id.substr(4);
      expect_machine({"namespace " + port, "processes in " + port, "link " + id,
                      "folder hubs/" + id, "process of hubs/" + id, "folder " + endpoint,
                      "process of " + endpoint});
      if (const auto acknowledged =
              test::publish(plane_.public_port(kAccount), fmt::format("device-{}", rounds_));
          !acknowledged)
        problems_.push_back(
            fmt::format("the hub does not acknowledge a message: {}", acknowledged.message()));
      if (!test::eventually([&] { return text_in(plane_.only(kAccount, "hub"), "health").empty(); },
                            10s))
        problems_.push_back("the hub is not well");
      return "runs, and stores";
    }
    if (status != "ERROR") problems_.push_back("the hub stays " + status);
    expect_nothing();
    return "failed, and is cleaned up";
  }

  void expect_nothing() {
    expect_machine({});
    if (const auto roles =
            plane_.query(kAccount, "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'hub\\_%'");
        roles != "0")
      problems_.push_back("a database role is left");
  }

  // Beside the account's network and database, exactly this is on the machine.
  void expect_machine(std::set<std::string> expected) {
    expected.insert(before_.begin(), before_.end());
    std::set<std::string> found;
    if (test::eventually([&] { return (found = plane_.on_machine()) == expected; }, 10s)) return;
    for (const auto& what : found)
      if (!expected.contains(what)) problems_.push_back(what + " is there, and should not be");
    for (const auto& what : expected)
      if (!found.contains(what)) problems_.push_back(what + " is not there, and should be");
  }

  int kills_;
  std::mt19937 random_;
  ControlPlaneProcess plane_;
  std::map<std::string_view, milliseconds> whole_;  // by what is done, undisturbed
  std::set<std::string> before_;
  std::string_view last_ = kDelete;
  int creations_ = 0;
  int rounds_ = 0;
  int killed_ = 0;
  std::map<std::string, int> outcomes_;
  std::vector<std::string> problems_;
};

}  // namespace

bool run_manage_campaign(const ManageCampaignOptions& options) {
  test::leave_the_machines_network();
  fmt::print("seed {}\n", options.seed);
  return Campaign{options}.run();
}

}  // namespace hub::chaos
