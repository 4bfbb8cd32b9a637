#include "hub/sys_topics.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace hub {
namespace {

// A rule's name as one level of a topic: what may not be in one, and '%', as %XX.
std::string level_of(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == '/' || c == '+' || c == '#' || c == '%' || static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out;
}

std::string ledger_of(const MessageAccounts::RuleAccount& account) {
  storage::LedgerCounts counts = account.taken;
  counts.committed = account.booked.committed;
  counts.dead_lettered = account.booked.dead_lettered;
  boost::json::object out;
  counts.for_each([&](std::string_view name, std::int64_t value) { out[name] = value; });
  out["pending"] = account.pending();
  out["rows"] = account.rows.rows;
  out["duplicates"] = account.rows.duplicates;
  return boost::json::serialize(out);
}

void add_broker(const HubReport& report, SysMessages& out) {
  const broker::Counters& counters = report.broker.counters;
  std::uint64_t dropped = 0;
  counters.for_each([&](std::string_view name, std::uint64_t value) {
    if (name.starts_with("dropped_")) dropped += value;
  });
  const std::uint64_t connected = report.broker.connections;
  const std::uint64_t sessions = std::max<std::uint64_t>(connected, report.broker.sessions);
  for (const auto& [name, value] : std::initializer_list<std::pair<const char*, std::uint64_t>>{
           {"clients/connected", connected},
           {"clients/disconnected", sessions - connected},
           {"clients/total", sessions},
           {"clients/expired", counters.sessions_expired},
           {"messages/received", counters.packets_received},
           {"publish/messages/received", counters.publishes_received},
           {"publish/messages/sent", counters.deliveries_sent},
           {"publish/messages/dropped", dropped},
           {"publish/bytes/received", counters.publish_bytes_received}}) {
    out.emplace_back(fmt::format("$SYS/broker/{}", name), std::to_string(value));
  }
  out.emplace_back("$SYS/broker/uptime", fmt::format("{} seconds", report.uptime_seconds));
  counters.for_each([&](std::string_view name, std::uint64_t value) {
    out.emplace_back(fmt::format("$SYS/hub/broker/{}", name), std::to_string(value));
  });
}

void add_writers(const HubReport& report, SysMessages& out) {
  if (report.shards.empty()) return;
  const auto& names = report.shards.front().writer;
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::uint64_t sum = 0;
    for (const HubReport::Shard& shard : report.shards) sum += shard.writer[i].second;
    out.emplace_back(fmt::format("$SYS/hub/writer/{}", names[i].first), std::to_string(sum));
  }
  std::size_t held = 0;
  for (const HubReport::Shard& shard : report.shards) held += shard.sink.held_bytes;
  out.emplace_back("$SYS/hub/writer/held_bytes", std::to_string(held));
  out.emplace_back("$SYS/hub/database", report.healthy() ? "available" : "away");
}

void add_spool(const HubReport& report, SysMessages& out) {
  if (!report.spool) return;
  const storage::Spooled waiting = report.spooled();
  const bool refuses =
      std::any_of(report.shards.begin(), report.shards.end(),
                  [](const HubReport::Shard& shard) { return shard.sink.spool_refuses; });
  out.emplace_back("$SYS/hub/spool/state", refuses               ? "refusing"
                                           : waiting.records > 0 ? "in use"
                                                                 : "empty");
  out.emplace_back("$SYS/hub/spool/batches", std::to_string(waiting.records));
  out.emplace_back("$SYS/hub/spool/messages", std::to_string(waiting.messages));
  out.emplace_back("$SYS/hub/spool/bytes", std::to_string(waiting.bytes));
  out.emplace_back("$SYS/hub/spool/disk_bytes", std::to_string(report.spool->bytes_on_disk));
}

}  // namespace

SysMessages sys_messages(const HubReport& report) {
  SysMessages out;
  add_broker(report, out);
  add_writers(report, out);
  add_spool(report, out);
  for (const MessageAccounts::RuleAccount& account : report.rules()) {
    out.emplace_back("$SYS/hub/ledger/" + level_of(account.rule), ledger_of(account));
  }
  return out;
}

SysTopics::SysTopics(boost::asio::io_context& io, const HubStatus& status, broker::Broker& broker,
                     std::chrono::seconds interval)
    : status_(status), broker_(broker), interval_(interval), timer_(io) {
  if (interval_.count() > 0) publish();
}

void SysTopics::publish() {
  SysMessages news;
  for (auto& message : sys_messages(status_.report())) {
    std::string& said = said_[message.first];
    if (said == message.second) continue;
    said = message.second;
    news.push_back(std::move(message));
  }
  broker_.publish_own(std::move(news));
  timer_.expires_after(interval_);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) publish();
  });
}

}  // namespace hub
