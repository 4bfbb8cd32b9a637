#include "storage/delivery.h"

#include <boost/asio/post.hpp>
#include <utility>

namespace hub::storage {

namespace asio = boost::asio;

Delivery::Delivery(asio::io_context& io, CommitListener& listener, BatchPool& pool, HeldBytes& held,
                   WriterCounters& counters, std::function<std::shared_ptr<void>()> hold_writer)
    : io_(io),
      listener_(&listener),
      pool_(pool),
      held_(held),
      counters_(counters),
      hold_writer_(std::move(hold_writer)) {}

void Delivery::tell(Notice notice) {
  notices_.push_back(std::move(notice));
  schedule();
}

void Delivery::tell_committed(std::unique_ptr<Batch> batch) {
  batches_.push_back(std::move(batch));
  schedule();
}

void Delivery::tell_durable(Batch& batch) {
  std::unique_ptr<Batch> told = pool_.take();
  std::swap(told->tokens, batch.tokens);
  std::swap(told->held_bytes, batch.held_bytes);
  tell_committed(std::move(told));
}

void Delivery::tell_token(AckToken token) {
  if (batches_.empty()) batches_.push_back(pool_.take());
  batches_.back()->tokens.push_back(token);
  held_.hold(*batches_.back(), sizeof token);
  schedule();
}

void Delivery::schedule() {
  if (std::exchange(scheduled_, true)) return;
  asio::post(io_, [this, writer = hold_writer_()] { run(); });
}

// Each call of the listener may add to both queues, or end all by stop().
void Delivery::run() {
  while (!stopped() && !(notices_.empty() && batches_.empty())) {
    if (!notices_.empty()) {
      const Notice notice = std::move(notices_.front());
      notices_.pop_front();
      notice(*listener_);
    } else {
      std::unique_ptr<Batch> batch = std::move(batches_.front());
      batches_.pop_front();
      deliver(std::move(batch));
    }
  }
  scheduled_ = false;
}

void Delivery::deliver(std::unique_ptr<Batch> batch) {
  deliver_account(*batch);
  held_.release(*batch);  // before on_committed(), which may go on with what was congested
  if (!stopped()) {
    counters_.acknowledgements.add(batch->tokens.size());
    listener_->on_committed(batch->tokens);
  }
  pool_.give_back(std::move(batch));
}

void Delivery::deliver_account(Batch& batch) {
  for (const TargetRows& target : batch.targets()) {
    if (!stopped()) listener_->on_rows(target.plan->target(), target.outcome);
  }
  if (batch.number != 0) last_booked_ = batch.number;
  for (const LedgerEntries::Rule& entry : batch.ledger.rules) {
    if (!stopped()) listener_->on_booked(entry.rule, entry.booked);
  }
  for (const RefusedMessage& refused : batch.refused_messages) {
    if (stopped()) return;
    if (refused.device_settled) continue;
    listener_->on_refused(*refused.target, batch.messages.view(refused.message));
  }
}

}  // namespace hub::storage
