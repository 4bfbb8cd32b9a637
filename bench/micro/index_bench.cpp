// What it costs to find who wants a topic among a million subscriptions, a third of them exact, a
// third with '+', a third with '#'; and what a subscription takes in memory.

#include <benchmark/benchmark.h>
#include <malloc.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "broker/routing/match_cache.h"
#include "broker/routing/subscription_index.h"

namespace hub::broker {
namespace {

constexpr std::uint32_t kDevices = 333'334;

std::string device(std::uint32_t n) {
  std::string digits = std::to_string(n);
  return "devices/d-" + std::string(8 - digits.size(), '0') + digits;
}

std::size_t heap_bytes() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

// Three subscriptions for each device: its commands, its answers, everything of its own.
std::unique_ptr<SubscriptionIndex> million() {
  auto index = std::make_unique<SubscriptionIndex>();
  for (std::uint32_t n = 0; n < kDevices; ++n) {
    index->add(device(n) + "/commands", {n, {}});
    index->add(device(n) + "/+/answer", {n, {}});
    index->add(device(n) + "/log/#", {n, {}});
  }
  return index;
}

SubscriptionIndex& shared_million() {
  static const auto index = million();
  return *index;
}

// A walk through all devices in an order that no cache foresees.
class Walk {
 public:
  std::uint32_t next() { return at_ = (at_ + 179'424'673u) % kDevices; }

 private:
  std::uint32_t at_ = 0;
};

void require(bool condition) {
  if (!condition) std::abort();
}

std::vector<std::string> topics(const char* suffix, std::size_t count) {
  std::vector<std::string> out;
  Walk walk;
  for (std::size_t i = 0; i < count; ++i) out.push_back(device(walk.next()) + suffix);
  return out;
}

// Each topic is another one, and 333,334 pass before one returns.
void match_cold(benchmark::State& state, const char* suffix) {
  SubscriptionIndex& index = shared_million();
  const auto all = topics(suffix, kDevices);
  Matches matches;
  std::size_t at = 0;
  for (auto _ : state) {
    index.match(all[at], matches);
    require(matches.filters().size() == 1);
    at = at + 1 == all.size() ? 0 : at + 1;
  }
}
BENCHMARK_CAPTURE(match_cold, exact, "/commands");
BENCHMARK_CAPTURE(match_cold, plus, "/door/answer");
BENCHMARK_CAPTURE(match_cold, hash, "/log/a/b");

void match_warm(benchmark::State& state) {
  SubscriptionIndex& index = shared_million();
  MatchCache cache{index, [](std::string_view) { return nullptr; }, 65'536};
  const auto some = topics("/log/a/b", static_cast<std::size_t>(state.range(0)));
  std::size_t at = 0;
  for (auto _ : state) {
    require(cache.find(some[at]).matches.filters().size() == 1);
    at = at + 1 == some.size() ? 0 : at + 1;
  }
}
BENCHMARK(match_warm)->Arg(1)->Arg(1'000)->Arg(10'000);

// A client that subscribes for itself and goes, between every two publishes of another.
void match_warm_in_a_subscribe_storm(benchmark::State& state) {
  SubscriptionIndex& index = shared_million();
  MatchCache cache{index, [](std::string_view) { return nullptr; }, 65'536};
  const auto some = topics("/log/a/b", 1'000);
  std::uint32_t visitor = 0;
  std::size_t at = 0;
  for (auto _ : state) {
    state.PauseTiming();
    const std::string filter = "devices/visitor-" + std::to_string(++visitor) + "/#";
    index.add(filter, {1, {}});
    index.remove(filter, 1);
    state.ResumeTiming();
    require(cache.find(some[at]).matches.filters().size() == 1);
    at = at + 1 == some.size() ? 0 : at + 1;
  }
  state.counters["misses_per_publish"] =
      static_cast<double>(cache.misses()) / static_cast<double>(state.iterations());
}
BENCHMARK(match_warm_in_a_subscribe_storm)->Iterations(100'000);

void subscribe_and_unsubscribe(benchmark::State& state, const char* suffix) {
  SubscriptionIndex& index = shared_million();
  std::uint32_t n = kDevices;
  for (auto _ : state) {
    const std::string filter = device(n++) + suffix;
    require(index.add(filter, {n, {}}).first_on_shard);
    require(index.remove(filter, n).last_on_shard);
  }
}
BENCHMARK_CAPTURE(subscribe_and_unsubscribe, exact, "/commands");
BENCHMARK_CAPTURE(subscribe_and_unsubscribe, hash, "/log/#");

// Not a time: bytes of heap per subscription, the tables' spare room included.
void memory(benchmark::State& state, const char* suffix, bool shared) {
  constexpr std::uint32_t kCount = 300'000;
  for (auto _ : state) {
    const std::size_t before = heap_bytes();
    const auto index = std::make_unique<SubscriptionIndex>();
    for (std::uint32_t n = 0; n < kCount; ++n) {
      index->add(shared ? std::string{suffix} : device(n) + suffix, {n, {}});
    }
    require(index->subscription_count() == kCount);
    state.counters["bytes_per_subscription"] =
        static_cast<double>(heap_bytes() - before) / double{kCount};
  }
}
BENCHMARK_CAPTURE(memory, own_exact, "/commands", false)->Iterations(1);
BENCHMARK_CAPTURE(memory, own_hash, "/#", false)->Iterations(1);
BENCHMARK_CAPTURE(memory, own_plus_two_levels, "/+/answer", false)->Iterations(1);
BENCHMARK_CAPTURE(memory, one_filter_for_all, "fleet/announcements", true)->Iterations(1);

}  // namespace
}  // namespace hub::broker
