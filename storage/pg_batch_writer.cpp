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
  return impl_->append(target, values, message);
}

void PgBatchWriter::append_dead_letter(std::string_view rule, std::string_view action,
                                       std::string_view reason, std::string_view detail,
                                       const MessageView& message) {
  impl_->append_dead_letter({rule, action, reason, detail, {}}, message);
}

void PgBatchWriter::acknowledge_after_commit(AckToken token) {
  impl_->acknowledge_after_commit(token);
}

void PgBatchWriter::save_session_state(std::string_view client_id, std::string_view state) {
  impl_->save_session_state(client_id, state);
}

void PgBatchWriter::session_state_changed() { impl_->session_state_changed(); }
void PgBatchWriter::end_of_turn() { impl_->end_of_turn(); }
bool PgBatchWriter::congested() const noexcept { return impl_->congested(); }
std::size_t PgBatchWriter::held_bytes() const noexcept { return impl_->held_bytes(); }
bool PgBatchWriter::idle() const noexcept { return impl_->idle(); }
const WriterCounters& PgBatchWriter::counters() const noexcept { return impl_->counters(); }

}  // namespace hub::storage
