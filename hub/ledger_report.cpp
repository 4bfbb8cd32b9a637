#include "hub/ledger_report.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_to.hpp>
#include <stdexcept>

namespace hub {

namespace json = boost::json;

std::string write_unbooked(const HubReport& report) {
  json::array batches;
  for (std::size_t shard = 0; shard < report.shards.size(); ++shard) {
    batches.push_back({{"shard", shard}, {"batch", report.shards[shard].sink.last_batch}});
  }
  json::array rules;
  for (const MessageAccounts::RuleAccount& account : report.rules()) {
    json::object counts;
    account.unbooked().for_each(
        [&](std::string_view name, std::int64_t value) { counts[name] = value; });
    rules.push_back({{"rule", account.rule}, {"unbooked", counts}, {"pending", account.pending()}});
  }
  return json::serialize(json::object{{"hub", report.hub_id},
                                      {"batches", batches},
                                      {"rules", rules},
                                      {"spooled_messages", report.spooled().messages},
                                      {"spooled_bytes", report.spooled().bytes}});
}

UnbookedLedger parse_unbooked(std::string_view answer) {
  UnbookedLedger out;
  try {
    const json::value root = json::parse(answer);
    const auto hub = json::value_to<std::string>(root.at("hub"));
    for (const json::value& each : root.at("batches").as_array()) {
      out.batches[{hub, each.at("shard").to_number<std::uint32_t>()}] =
          each.at("batch").to_number<std::uint64_t>();
    }
    out.spooled_messages = root.at("spooled_messages").to_number<std::uint64_t>();
    out.spooled_bytes = root.at("spooled_bytes").to_number<std::uint64_t>();
    for (const json::value& each : root.at("rules").as_array()) {
      UnbookedLedger::Rule& rule = out.rules[json::value_to<std::string>(each.at("rule"))];
      rule.pending = each.at("pending").to_number<std::int64_t>();
#define HUB_COUNT(name) rule.counts.name = each.at("unbooked").at(#name).to_number<std::int64_t>();
      HUB_LEDGER_COUNTS(HUB_COUNT)
#undef HUB_COUNT
    }
  } catch (const std::exception& error) {
    throw std::runtime_error(std::string("the hub's answer is not understood: ") + error.what());
  }
  return out;
}

}  // namespace hub
