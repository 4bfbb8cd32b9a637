#include "storage/pg_batch_writer.h"

#include "storage/writer_core.h"

namespace hub::storage {

namespace asio = boost::asio;

PgBatchWriter::PgBatchWriter(asio::io_context& io, Connector& connector, PgWriterOptions options,
                             CommitListener& listener)
    : impl_(std::make_shared<Impl>(io, connector, std::move(options), listener)) {
  impl_->start();
}

PgBatchWriter::~PgBatchWriter() { impl_->stop(); }

std::optional<std::string> PgBatchWriter::append(const RowTargetPtr& target,
                                                 std::span<const Value> values,
                                                 const MessageView& message) {
  return impl_->open().append(target, values, message);
}

void PgBatchWriter::append_dead_letter(std::string_view rule, std::string_view action,
                                       std::string_view reason, std::string_view detail,
                                       const MessageView& message) {
  impl_->open().append_dead_letter({rule, action, reason, detail, {}}, message);
}

void PgBatchWriter::acknowledge_after_commit(AckToken token) {
  impl_->acknowledge_after_commit(token);
}

void PgBatchWriter::make_durable(const DurableChange& change) {
  impl_->open().make_durable(change);
}
void PgBatchWriter::durable_change_waits() { impl_->open().want(); }
void PgBatchWriter::ledger_changed() { impl_->open().want(); }

void PgBatchWriter::add_to_ledger(std::string_view rule, const LedgerCounts& counts,
                                  const LedgerRows& rows) {
  impl_->open().add_to_ledger({std::string(rule), counts, rows, {}, {}});
}

void PgBatchWriter::add_to_device_ledger(std::string_view rule, std::string_view device,
                                         const LedgerCounts& counts) {
  impl_->open().add_to_device_ledger({std::string(rule), std::string(device), counts});
}

void PgBatchWriter::add_to_sequence(std::string_view rule, std::string_view device,
                                    std::string_view seen, std::int64_t given_up) {
  impl_->open().add_to_sequence(
      {std::string(rule), std::string(device), std::string(seen), given_up});
}

void PgBatchWriter::add_to_journal(JournalEntry entry) {
  impl_->open().add_to_journal(std::move(entry));
}

void PgBatchWriter::mark_journal(const JournalMark& mark, const JournalRange& forgotten) {
  impl_->open().mark_journal(mark, forgotten);
}

void PgBatchWriter::add_usage(std::string_view meter, std::int64_t half_kilobytes,
                              std::int64_t messages) {
  impl_->open().add_usage(meter, {half_kilobytes, messages});
}

void PgBatchWriter::add_active_device(std::string_view meter, std::int32_t day,
                                      std::string_view device) {
  impl_->open().add_active_device(meter, {day, std::string(device)});
}

void PgBatchWriter::end_of_turn() { impl_->end_of_turn(); }
bool PgBatchWriter::congested() const noexcept { return impl_->held().congested(); }
std::size_t PgBatchWriter::held_bytes() const noexcept { return impl_->held().total(); }
bool PgBatchWriter::idle() const noexcept { return impl_->idle(); }
std::uint64_t PgBatchWriter::last_booked() const noexcept { return impl_->last_booked(); }
Spooled PgBatchWriter::spooled() const noexcept { return impl_->spooled(); }
const WriterCounters& PgBatchWriter::counters() const noexcept { return impl_->counters(); }

}  // namespace hub::storage
