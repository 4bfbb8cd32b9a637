// What the accounts of messages add to one: one rule, a fleet of 2,000 devices.
// Each benchmark checks its sums before it is done.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstdlib>
#include <iostream>
#include <random>

#include "pipeline/message_accounts.h"
#include "rules/rule_file.h"

namespace hub {
namespace {

constexpr std::size_t kDevices = 2'000;

class NoTables final : public rules::Catalogue {
 public:
  [[nodiscard]] std::optional<TableSchema> table(std::string_view) const override { return {}; }
};

std::shared_ptr<const rules::RuleSet> one_rule() {
  constexpr std::string_view kRule =
      "[[rule]]\nname = \"r\"\nsql = 'SELECT topic FROM \"#\"'\n"
      "[[rule.action]]\ntype = \"republish\"\ntopic = \"out\"\n";
  return rules::compile_rules(rules::parse_rules(kRule, "rules.toml").rules, NoTables{}).rules;
}

// burst: messages of one device that come one after the other.
void count_messages(benchmark::State& state, bool numbered) {
  const auto rules = one_rule();
  const rules::RulePlan& rule = rules->plan(0);
  MessageAccounts accounts(*rules);
  std::vector<std::string> devices;
  for (std::size_t i = 0; i < kDevices; ++i) devices.push_back(fmt::format("device-{:08}", i));
  std::minstd_rand random(1);
  std::vector<std::uint32_t> order(1 << 16);
  for (std::uint32_t& device : order) device = random() % kDevices;
  std::vector<std::int64_t> numbers(kDevices);
  const auto burst = static_cast<std::size_t>(state.range(0));
  std::size_t messages = 0;
  for (auto _ : state) {
    const std::uint32_t device = order[messages / burst % order.size()];
    accounts.begin_message(devices[device]);
    accounts.received(rule);
    if (numbered) accounts.seen(rule, numbers[device]++);
    accounts.ended(rule, Ending::stored);
    ++messages;
  }
  const storage::LedgerCounts taken = accounts.accounts()[0].taken;
  if (!taken.balanced() || taken.received != static_cast<std::int64_t>(messages)) {
    std::cerr << "the account does not balance\n";
    std::exit(1);
  }
}

void counts(benchmark::State& state) { count_messages(state, false); }
void counts_and_sequence(benchmark::State& state) { count_messages(state, true); }
BENCHMARK(counts)->Arg(1)->Arg(16)->ArgName("burst");
BENCHMARK(counts_and_sequence)->Arg(1)->Arg(16)->ArgName("burst");

}  // namespace
}  // namespace hub
