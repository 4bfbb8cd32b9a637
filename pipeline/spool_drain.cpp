#include "pipeline/spool_drain.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <future>
#include <map>
#include <stdexcept>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/service_manager.h"
#include "pipeline/outage_log.h"
#include "storage/connector.h"
#include "storage/spool_record.h"

namespace hub {
namespace {

constexpr std::chrono::seconds kProgressInterval{5};

// A writer of an earlier run, until its records are in the database.
class EarlierWriter final : private storage::CommitListener {
 public:
  EarlierWriter(boost::asio::io_context& io, storage::Connector& connector,
                const storage::PgWriterOptions& options, OutageLog& outages)
      : shard_(options.shard), outages_(outages), writer_(io, connector, options, *this) {}

  [[nodiscard]] std::uint64_t records_left() const { return writer_.spooled().records; }
  // Call between two handlers of the loop.
  [[nodiscard]] bool done() {
    if (records_left() > 0 || !writer_.idle()) return false;
    if (keyed_rows_.empty() && refused_.empty()) return true;
    writer_.ledger_changed();
    writer_.end_of_turn();
    return false;
  }

 private:
  // What became of the records' rows, where their own batch could not book it: as ShardPipeline
  // does.
  void on_batch_closing() override {
    for (const auto& [rule, rows] : std::exchange(keyed_rows_, {})) {
      writer_.add_to_ledger(rule, {}, rows);
    }
    for (const auto& [key, messages] : std::exchange(refused_, {})) {
      writer_.add_to_device_ledger(key.first, key.second,
                                   {.committed = -messages, .dead_lettered = messages});
    }
  }
  void on_committed(std::span<const AckToken>) override {}
  void on_rows(const storage::RowTarget& target, const storage::RowOutcome& outcome) override {
    if (target.key.empty()) return;
    storage::LedgerRows& rows = keyed_rows_[target.rule];
    rows.rows += static_cast<std::int64_t>(outcome.committed);
    rows.duplicates += static_cast<std::int64_t>(outcome.duplicates);
  }
  void on_refused(const storage::RowTarget& target, const MessageView& message) override {
    ++refused_[{target.rule, std::string(message.client_id)}];
  }
  void on_target_fault(const storage::RowTarget& target,
                       const storage::DatabaseFault& fault) override {
    outages_.target_fault(shard_, target, fault);
  }
  void on_target_usable(const storage::RowTarget& target) override {
    outages_.target_usable(shard_, target);
  }
  void on_database_unavailable(const storage::DatabaseFault& fault) override {
    outages_.unavailable(shard_, fault);
  }
  void on_database_available() override { outages_.available(shard_); }
  void on_spool_lost(std::uint64_t records, std::string_view why) override {
    outages_.spool_lost(records, why);
  }

  const std::uint32_t shard_;
  OutageLog& outages_;
  std::map<std::string, storage::LedgerRows> keyed_rows_;
  std::map<std::pair<std::string, std::string>, std::int64_t> refused_;  // by rule and device
  storage::PgBatchWriter writer_;
};

void refuse_other_versions(storage::Spool& spool, const storage::SpoolOwner& owner) {
  std::promise<storage::SpoolStore::Page> read;
  spool.read(owner, 0, 1, [&](storage::SpoolStore::Page page) { read.set_value(std::move(page)); });
  const auto page = read.get_future().get();
  if (page.records.empty()) return;
  const auto problem = storage::check_spool_record(page.records.front().body);
  if (problem == storage::SpoolRecordProblem::other_version) {
    throw std::runtime_error(
        "another version of the hub has written the spool; start that version once more, until it "
        "says that the spool is empty");
  }
}

// The writers of one earlier run.
void drain_run(const std::vector<storage::SpoolOwner>& owners, storage::Spool& spool,
               storage::Connector& connector, storage::PgWriterOptions options,
               OutageLog& outages) {
  boost::asio::io_context io(1);
  std::vector<std::unique_ptr<EarlierWriter>> writers;
  for (const storage::SpoolOwner& owner : owners) {
    options.hub_id = owner.hub_id;
    options.shard = owner.shard;
    options.spool = &spool;
    writers.push_back(std::make_unique<EarlierWriter>(io, connector, options, outages));
  }
  const auto left = [&] {
    std::uint64_t sum = 0;
    for (const auto& writer : writers) sum += writer->records_left();
    return sum;
  };
  const std::uint64_t all = left();
  std::uint64_t told_left = all;
  auto told = std::chrono::steady_clock::now();
  while (!std::all_of(writers.begin(), writers.end(), [](const auto& w) { return w->done(); })) {
    io.run_one_for(kProgressInterval);
    io.restart();
    if (std::chrono::steady_clock::now() - told < kProgressInterval) continue;
    told = std::chrono::steady_clock::now();
    if (const std::uint64_t now_left = left(); now_left != std::exchange(told_left, now_left)) {
      log::info("draining the spool: {} of {} batches are in the database", all - now_left, all);
    }
    notify_service_manager("EXTEND_TIMEOUT_USEC=60000000");
  }
  writers.clear();
}

}  // namespace

void drain_spool(storage::Spool& spool, const std::string& database_url,
                 const storage::PgWriterOptions& options) {
  if (spool.lanes().empty()) return;
  log::info(
      "an earlier run has left {} batches in the spool; they go into the database before "
      "devices are served",
      spool.recovery().records);
  const auto began = std::chrono::steady_clock::now();
  std::map<std::string, std::vector<storage::SpoolOwner>> runs;
  for (const auto& lane : spool.lanes()) runs[lane.owner.hub_id].push_back(lane.owner);
  for (const auto& [hub_id, owners] : runs) {
    for (const auto& owner : owners) refuse_other_versions(spool, owner);
  }
  storage::Connector connector{database_url};
  OutageLog outages{{}, "the spool waits"};  // no device is served yet
  for (const auto& [hub_id, owners] : runs) {
    drain_run(owners, spool, connector, options, outages);
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  log::info("the spool is empty after {:.1f} s: the database has all of it", took.count());
}

}  // namespace hub
