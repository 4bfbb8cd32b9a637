// The connection of a writer: made, lost, made again; and the batches that go over it.
#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "storage/backoff.h"
#include "storage/sqlstate.h"
#include "storage/writer_core.h"

namespace hub::storage {

namespace asio = boost::asio;

namespace {

constexpr unsigned kMaxTimeoutFactor = 10;
constexpr std::chrono::seconds kReadAgain{1};

}  // namespace

asio::awaitable<void> PgBatchWriter::Impl::run(std::shared_ptr<Impl> self) {
  while (!self->stopped()) {
    std::optional<DatabaseFault> lost;
    try {
      if (!self->link_) co_await self->connect();
      if (self->link_) co_await self->send_next();
    } catch (const LinkLost& error) {
      lost = error.fault();
    }
    if (lost) self->on_link_lost(*std::move(lost));
  }
  self->link_.reset();
}

asio::awaitable<void> PgBatchWriter::Impl::connect() {
  if (failures_ > 1) co_await pause();
  if (stopped()) co_return;
  pg_conn* connection = nullptr;
  DatabaseFault fault;
  bool done = false;
  attempt_ = connector_.connect(io_, [&, this](pg_conn* made, DatabaseFault why) {
    connection = made;
    fault = std::move(why);
    done = true;
    wake_.cancel();
  });
  while (!done && !stopped()) co_await woken(TimePoint::max());
  attempt_.reset();
  PgConnection owned(connection);
  if (stopped()) co_return;
  if (!owned) {
    counters_.connection_failures.add();
    on_trouble(std::move(fault));
    co_return;
  }
  link_ = std::make_unique<PgLink>(io_, std::move(owned), counters_);
  link_->set_answer_timeout(options_.answer_timeout * timeout_factor_);
  const auto claimed = co_await sender_.claim(*link_);
  if (claimed.fault) {
    link_.reset();
    on_trouble(*claimed.fault);
    co_return;
  }
  counters_.connections.add();
  in_database_ = claimed.last_batch;
  sender_.number_from(claimed.last_batch + 1);
  if (sending_ && sending_->number != 0 && sending_->number == claimed.last_batch) {
    counters_.commits_confirmed.add();
    finish_sending();
  } else if (!sending_ && queue_.empty()) {
    on_success();
  }
}

asio::awaitable<void> PgBatchWriter::Impl::send_next() {
  while (!sending_) {
    if (lane_ && !lane_->empty()) {
      sending_ = take_spooled();
      if (sending_ || lane_->empty()) continue;
      co_await woken(asio::steady_timer::clock_type::now() + kReadAgain);
      if (stopped()) co_return;
    } else if (!queue_.empty()) {
      sending_ = std::move(queue_.front());
      queue_.pop_front();
    } else if (!open_->empty()) {
      sending_ = close_open();
    } else {
      co_await woken(TimePoint::max());
      if (stopped()) co_return;
      continue;
    }
  }
  if (sending_->nothing_to_write()) {
    finish_sending();
    co_return;
  }
  if (sending_->attempts > 0) counters_.batch_retries.add();
  auto fault = co_await sender_.send(*link_, *sending_);
  if (!fault) {
    finish_sending();
    co_return;
  }
  if (spoils_connection(fault->sqlstate)) link_.reset();
  on_trouble(*std::move(fault));
  co_await pause();
}

void PgBatchWriter::Impl::on_link_lost(DatabaseFault fault) {
  link_.reset();
  if (stopped()) return;
  if (sending_ && sending_->number != 0) counters_.commits_in_doubt.add();
  if (timeouts_seen_ != counters_.answer_timeouts.value()) {
    timeouts_seen_ = counters_.answer_timeouts.value();
    timeout_factor_ = std::min(timeout_factor_ * 2, kMaxTimeoutFactor);
  }
  on_trouble(std::move(fault));
}

void PgBatchWriter::Impl::on_trouble(DatabaseFault fault) {
  ++failures_;
  if (!trouble_) trouble_since_ = asio::steady_timer::clock_type::now();
  const bool known =
      trouble_ && trouble_->sqlstate == fault.sqlstate && trouble_->message == fault.message;
  if (known) return;
  trouble_ = fault;
  notices_.push_back([fault = std::move(fault)](CommitListener& listener) {
    listener.on_database_unavailable(fault);
  });
  schedule_delivery();
}

void PgBatchWriter::Impl::on_success() {
  failures_ = 0;
  timeout_factor_ = 1;
  if (!trouble_) return;
  trouble_.reset();
  notices_.push_back([](CommitListener& listener) { listener.on_database_available(); });
  schedule_delivery();
}

asio::awaitable<void> PgBatchWriter::Impl::woken(TimePoint until) {
  wake_.expires_at(until);
  boost::system::error_code ignored;
  co_await wake_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

asio::awaitable<void> PgBatchWriter::Impl::pause() {
  const auto until = asio::steady_timer::clock_type::now() +
                     pause_after(failures_, options_.first_pause, options_.last_pause, random_);
  while (!stopped() && asio::steady_timer::clock_type::now() < until) co_await woken(until);
}

}  // namespace hub::storage
