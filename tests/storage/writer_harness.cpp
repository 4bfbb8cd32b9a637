#include "tests/storage/writer_harness.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <numeric>

#include "storage/migration.h"

namespace hub::storage {

Column make_column(std::string name, ColumnType type, std::string type_name) {
  Column out;
  out.name = std::move(name);
  out.type = type;
  out.type_name = std::move(type_name);
  return out;
}

RowTargetPtr make_target(std::string table, std::vector<Column> columns,
                         std::vector<std::string> key, OnConflict on_conflict) {
  auto target = std::make_shared<RowTarget>();
  target->rule = "r";
  target->action = "dump " + table;
  target->schema = "public";
  target->table = std::move(table);
  target->columns = std::move(columns);
  target->key = std::move(key);
  target->on_conflict = on_conflict;
  return target;
}

SessionKept bare_session(std::string_view client_id, std::uint32_t expiry_seconds) {
  return {client_id, expiry_seconds, {}, {}};
}

std::string bare_session_row(std::uint32_t expiry_seconds) {
  return fmt::format("\\x01{:08x}0000000000000000", expiry_seconds);
}

WriterHarness::WriterHarness(PgWriterOptions options, const UrlOf& url_of)
    : options_(std::move(options)) {
  if (options_.hub_id.empty()) options_.hub_id = "11111111-2222-3333-4444-555555555555";
  options_.first_pause = std::chrono::milliseconds(5);
  options_.last_pause = std::chrono::milliseconds(50);
  apply_migrations(database_.url());
  connector_ = std::make_unique<Connector>(url_of ? url_of(database_.name()) : database_.url());
  io_ = std::make_unique<boost::asio::io_context>(1);
  restart_writer();
}

WriterHarness::~WriterHarness() {
  writer_.reset();
  io_.reset();
}

void WriterHarness::restart_writer() {
  writer_.reset();
  writer_ = std::make_unique<PgBatchWriter>(*io_, *connector_, options_, *this);
}

void WriterHarness::copy_always() {
  options_.few_rows = 0;
  restart_writer();
}

void WriterHarness::append(const RowTargetPtr& target, std::int64_t n, std::string_view text) {
  const Value values[] = {Value::integer(n), Value::text(text)};
  const auto problem = writer_->append(target, values, message(n));
  ASSERT_FALSE(problem) << *problem;
  writer_->acknowledge_after_commit({static_cast<std::uint64_t>(n), 0});
}

MessageView WriterHarness::message(std::int64_t n) {
  MessageView message;
  message.id = {1, static_cast<std::uint64_t>(n)};
  message.received_at = Timestamp(std::chrono::microseconds(1'700'000'000'000'000 + n));
  message.topic = "devices/d1/telemetry";
  message.client_id = "d1";
  message.payload = "{\"n\": 1}";
  message.qos = Qos::at_least_once;
  return message;
}

void WriterHarness::run_until(const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    ASSERT_LT(std::chrono::steady_clock::now(), until) << "waited for too long";
    io_->restart();
    io_->run_one_for(std::chrono::milliseconds(100));
  }
}

void WriterHarness::run_until_idle() {
  writer_->end_of_turn();
  run_until([this] { return writer_->idle(); });
}

void WriterHarness::run_handlers(int count) {
  io_->restart();
  while (count-- > 0 && io_->run_one_for(std::chrono::milliseconds(2)) > 0) {
  }
}

void WriterHarness::on_batch_closing() {
  if (when_closing) when_closing();
}

void WriterHarness::on_committed(std::span<const AckToken> tokens) {
  for (const AckToken& token : tokens) acknowledged.push_back(token.session);
  if (when_committed) when_committed();
}

void WriterHarness::on_rows(const RowTarget& target, const RowOutcome& outcome) {
  RowOutcome& sum = outcomes[target.table];
  sum.committed += outcome.committed;
  sum.duplicates += outcome.duplicates;
  sum.dead_letters += outcome.dead_letters;
  if (const auto call = when_rows) call();
}

void WriterHarness::on_booked(std::string_view rule, const LedgerCounts& counts) {
  booked[std::string(rule)] += counts;
}

void WriterHarness::on_refused(const RowTarget& target, const MessageView& message) {
  refused.push_back(fmt::format("{} {}", target.rule, message.client_id));
}

void WriterHarness::on_target_fault(const RowTarget& target, const DatabaseFault& fault) {
  notices.push_back(fmt::format("{} unusable: {} {}", target.table, fault.sqlstate, fault.message));
}

void WriterHarness::on_target_usable(const RowTarget& target) {
  notices.push_back(target.table + " usable");
}

void WriterHarness::on_database_unavailable(const DatabaseFault& fault) {
  notices.push_back(fmt::format("unavailable: {} {}", fault.sqlstate, fault.message));
}

void WriterHarness::on_database_available() { notices.emplace_back("available"); }

void WriterHarness::on_spooling() { notices.emplace_back("spooling"); }
void WriterHarness::on_spool_drained() { notices.emplace_back("drained"); }

void WriterHarness::on_spool_unavailable(const SpoolFault& fault) {
  notices.push_back(fmt::format("spool {}: {}", fault.full ? "full" : "broken", fault.message));
}

void WriterHarness::on_spool_available() { notices.emplace_back("spool available"); }

void WriterHarness::on_spool_lost(std::uint64_t records, std::string_view why) {
  notices.push_back(fmt::format("lost {}: {}", records, why));
}

std::vector<std::uint64_t> numbers(std::uint64_t count) {
  std::vector<std::uint64_t> out(count);
  std::iota(out.begin(), out.end(), 0);
  return out;
}

}  // namespace hub::storage
