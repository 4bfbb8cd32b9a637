#include "storage/pg_batch_writer.h"

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cassert>
#include <deque>
#include <functional>
#include <random>
#include <unordered_map>
#include <vector>

#include "storage/batch.h"
#include "storage/batch_sender.h"
#include "storage/pg_link.h"
#include "storage/sqlstate.h"

namespace hub::storage {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kSpareBatches = 3;
constexpr unsigned kMaxTimeoutFactor = 10;

}  // namespace

// Batches go round: open_ (takes rows) → queue_ (full, waiting) → sending_ → finished_ (committed,
// the listener not yet told) → spare_ (empty).
class PgBatchWriter::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::io_context& io, Connector& connector, PgWriterOptions options,
       CommitListener& listener)
      : io_(io),
        connector_(connector),
        options_(std::move(options)),
        listener_(&listener),
        sender_(options_.hub_id, options_.shard, counters_),
        wake_(io),
        open_(new_batch()) {}

  void start() {
    asio::co_spawn(io_, [self = shared_from_this()] { return run(self); }, asio::detached);
  }

  void stop() {
    listener_ = nullptr;
    attempt_.reset();
    if (link_) link_->close();
    wake_.cancel();
  }

  std::optional<std::string> append(const RowTargetPtr& target, std::span<const Value> values,
                                    const MessageView& message) {
    TargetPlan& plan = plan_of(target);
    TargetRows& rows = open_->rows_of(plan);
    const std::size_t row_start = rows.rows.size();
    auto problem = plan.encoder().append(values, rows.rows);
    if (problem) return problem;
    const std::size_t row_bytes = rows.rows.size() - row_start;
    const std::size_t kept_before = open_->messages.bytes();
    rows.messages.push_back(open_->messages.keep(message));
    open_->row_added(row_bytes);
    hold(*open_, row_bytes + open_->messages.bytes() - kept_before + sizeof(std::uint32_t));
    return std::nullopt;
  }

  void append_dead_letter(const DeadLetters::Cause& cause, const MessageView& message) {
    const std::size_t before = open_->dead_letters.rows().size();
    open_->dead_letters.add(cause, message, 0);
    hold(*open_, open_->dead_letters.rows().size() - before);
  }

  void acknowledge_after_commit(AckToken token) {
    Batch& batch = last_uncommitted();
    batch.tokens.push_back(token);
    hold(batch, sizeof token);
  }

  void save_session_state(std::string_view client_id, std::string_view state) {
    assert(closing_);
    auto& entries = open_->session_states.entries;
    entries.push_back({std::string(client_id), std::string(state), entries.size()});
    hold(*open_, client_id.size() + state.size() + sizeof entries.back());
  }

  void session_state_changed() { open_->session_state_changed = true; }

  void end_of_turn() {
    if (open_->empty()) return;
    if (sending_ == nullptr && queue_.empty()) {
      wake_.cancel();  // the open batch goes at once, if there is a link
    }
    if (open_->rows() >= options_.limits.rows || open_->row_bytes() >= options_.limits.bytes) {
      queue_.push_back(close_open());
    }
  }

  [[nodiscard]] bool congested() const noexcept { return congested_; }
  [[nodiscard]] std::size_t held_bytes() const noexcept { return held_bytes_; }
  [[nodiscard]] bool idle() const noexcept {
    return open_->empty() && queue_.empty() && sending_ == nullptr && !delivery_scheduled_;
  }
  [[nodiscard]] const WriterCounters& counters() const noexcept { return counters_; }

 private:
  // The life of the writer's connection. Owns itself by `self`; ends after stop().
  static asio::awaitable<void> run(std::shared_ptr<Impl> self) {
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

  [[nodiscard]] bool stopped() const noexcept { return listener_ == nullptr; }

  // Returns with a link that has claimed the writer, or without one to be called again.
  asio::awaitable<void> connect() {
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
    while (!done && !stopped()) co_await woken(asio::steady_timer::time_point::max());
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
    if (sending_ && sending_->number != 0 && sending_->number == claimed.last_batch) {
      counters_.commits_confirmed.add();
      finish_sending();
    } else if (!sending_ && queue_.empty()) {
      on_success();
    }
  }

  asio::awaitable<void> send_next() {
    while (!sending_) {
      if (!queue_.empty()) {
        sending_ = std::move(queue_.front());
        queue_.pop_front();
      } else if (!open_->empty()) {
        sending_ = close_open();
      } else {
        co_await woken(asio::steady_timer::time_point::max());
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

  void on_link_lost(DatabaseFault fault) {
    link_.reset();
    if (stopped()) return;
    if (sending_ && sending_->number != 0) counters_.commits_in_doubt.add();
    if (timeouts_seen_ != counters_.answer_timeouts.value()) {
      timeouts_seen_ = counters_.answer_timeouts.value();
      timeout_factor_ = std::min(timeout_factor_ * 2, kMaxTimeoutFactor);
    }
    on_trouble(std::move(fault));
  }

  void on_trouble(DatabaseFault fault) {
    ++failures_;
    const bool known =
        trouble_ && trouble_->sqlstate == fault.sqlstate && trouble_->message == fault.message;
    if (known) return;
    trouble_ = fault;
    notices_.push_back([fault = std::move(fault)](CommitListener& listener) {
      listener.on_database_unavailable(fault);
    });
    schedule_delivery();
  }

  void on_success() {
    failures_ = 0;
    timeout_factor_ = 1;
    if (!trouble_) return;
    trouble_.reset();
    notices_.push_back([](CommitListener& listener) { listener.on_database_available(); });
    schedule_delivery();
  }

  // The batch under way has committed.
  void finish_sending() {
    Batch& batch = *sending_;
    if (!batch.nothing_to_write()) {
      counters_.batches.add();
      on_success();
    }
    counters_.row_bytes.add(batch.row_bytes());
    counters_.session_states.add(batch.session_states.entries.size());
    counters_.dead_letters_by_rule.add(batch.dead_letters.count());
    counters_.dead_letters_row_refused.add(batch.refused_rows);
    counters_.dead_letters_table_unusable.add(batch.unusable_rows);
    for (TargetRows& target : batch.targets()) {
      counters_.rows.add(target.outcome.committed);
      counters_.duplicates.add(target.outcome.duplicates);
      note_usability(target);
    }
    finished_.push_back(std::move(sending_));
    schedule_delivery();
  }

  void note_usability(const TargetRows& rows) {
    TargetPlan& plan = *rows.plan;
    const bool accepted = rows.outcome.dead_letters < rows.count();
    if (!rows.fault.sqlstate.empty() && !plan.faulted) {
      plan.faulted = true;
      notices_.push_back([target = plan.target_ptr(), fault = rows.fault](CommitListener& l) {
        l.on_target_fault(*target, fault);
      });
    } else if (plan.faulted && accepted) {
      plan.faulted = false;
      notices_.push_back(
          [target = plan.target_ptr()](CommitListener& l) { l.on_target_usable(*target); });
    }
  }

  std::unique_ptr<Batch> new_batch() {
    std::unique_ptr<Batch> batch;
    if (spare_.empty()) {
      batch = std::make_unique<Batch>();
    } else {
      batch = std::move(spare_.back());
      spare_.pop_back();
    }
    batch->clear(++last_serial_);
    return batch;
  }

  std::unique_ptr<Batch> close_open() {
    closing_ = true;
    listener_->on_batch_closing();
    closing_ = false;
    std::unique_ptr<Batch> closed = new_batch();
    std::swap(closed, open_);
    return closed;
  }

  // Where a token that waits for all that was appended so far belongs.
  [[nodiscard]] Batch& last_uncommitted() {
    if (!open_->empty()) return *open_;
    if (!queue_.empty()) return *queue_.back();
    if (sending_) return *sending_;
    // Everything has committed: the token follows what the listener has yet to be told.
    if (finished_.empty()) finished_.push_back(new_batch());
    schedule_delivery();
    return *finished_.back();
  }

  void schedule_delivery() {
    if (delivery_scheduled_) return;
    delivery_scheduled_ = true;
    asio::post(io_, [self = shared_from_this()] { self->deliver(); });
  }

  // Tells the listener what has happened. It may call the writer, which may add to both queues.
  void deliver() {
    while (!stopped() && !(notices_.empty() && finished_.empty())) {
      if (!notices_.empty()) {
        const Notice notice = std::move(notices_.front());
        notices_.pop_front();
        notice(*listener_);
      } else {
        std::unique_ptr<Batch> batch = std::move(finished_.front());
        finished_.pop_front();
        for (const TargetRows& target : batch->targets()) {
          if (!stopped()) listener_->on_rows(target.plan->target(), target.outcome);
        }
        if (!stopped() && !batch->tokens.empty()) {
          counters_.acknowledgements.add(batch->tokens.size());
          listener_->on_committed(batch->tokens);
        }
        recycle(std::move(batch));
      }
    }
    delivery_scheduled_ = false;
  }

  void recycle(std::unique_ptr<Batch> batch) {
    held_bytes_ -= batch->held_bytes;
    update_congestion();
    if (spare_.size() < kSpareBatches) spare_.push_back(std::move(batch));
  }

  void hold(Batch& batch, std::size_t bytes) {
    batch.held_bytes += bytes;
    held_bytes_ += bytes;
    update_congestion();
  }

  void update_congestion() noexcept {
    const std::size_t limit = options_.limits.held_bytes;
    if (!congested_ && held_bytes_ > limit / 10 * 9) congested_ = true;
    if (congested_ && held_bytes_ < limit / 10 * 7) congested_ = false;
  }

  TargetPlan& plan_of(const RowTargetPtr& target) {
    if (last_plan_ != nullptr && &last_plan_->target() == target.get()) return *last_plan_;
    auto found = plans_.find(target.get());
    if (found == plans_.end()) {
      forget_unused_plans();
      found = plans_.emplace(target.get(), std::make_unique<TargetPlan>(target)).first;
    }
    last_plan_ = found->second.get();
    return *last_plan_;
  }

  // Targets that nobody else knows any more, as the rules were loaded anew, and that no batch uses.
  void forget_unused_plans() {
    std::uint64_t oldest = open_->serial;
    if (sending_) oldest = std::min(oldest, sending_->serial);
    if (!queue_.empty()) oldest = std::min(oldest, queue_.front()->serial);
    if (!finished_.empty()) oldest = std::min(oldest, finished_.front()->serial);
    std::erase_if(plans_, [oldest](const auto& entry) {
      const TargetPlan& plan = *entry.second;
      return plan.target_ptr().use_count() == 1 && plan.batch_serial < oldest;
    });
    last_plan_ = nullptr;
  }

  // Waits until wake_ is cancelled, or for as long as given.
  asio::awaitable<void> woken(asio::steady_timer::time_point until) {
    wake_.expires_at(until);
    boost::system::error_code ignored;
    co_await wake_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }

  asio::awaitable<void> pause() {
    const unsigned doublings = std::min(failures_ > 0 ? failures_ - 1 : 0, 20u);
    const auto longest = std::min(options_.last_pause, options_.first_pause * (1u << doublings));
    std::uniform_real_distribution<double> part(0.5, 1.0);
    const auto until =
        asio::steady_timer::clock_type::now() +
        std::chrono::duration_cast<asio::steady_timer::duration>(longest * part(random_));
    while (!stopped() && asio::steady_timer::clock_type::now() < until) co_await woken(until);
  }

  using Notice = std::function<void(CommitListener&)>;

  asio::io_context& io_;
  Connector& connector_;
  const PgWriterOptions options_;
  CommitListener* listener_;  // null after stop()
  WriterCounters counters_;
  BatchSender sender_;

  asio::steady_timer wake_;  // cancelled when the coroutine has something to look at
  std::unique_ptr<Connector::Attempt> attempt_;
  std::unique_ptr<PgLink> link_;
  std::minstd_rand random_{std::random_device{}()};
  unsigned failures_ = 0;  // since the last success
  unsigned timeout_factor_ = 1;
  std::uint64_t timeouts_seen_ = 0;
  std::optional<DatabaseFault> trouble_;  // that the listener was told of last

  std::uint64_t last_serial_ = 0;
  std::vector<std::unique_ptr<Batch>> spare_;
  std::unique_ptr<Batch> open_;
  std::deque<std::unique_ptr<Batch>> queue_;
  std::unique_ptr<Batch> sending_;
  std::deque<std::unique_ptr<Batch>> finished_;
  bool closing_ = false;

  std::deque<Notice> notices_;
  bool delivery_scheduled_ = false;

  std::unordered_map<const RowTarget*, std::unique_ptr<TargetPlan>> plans_;
  TargetPlan* last_plan_ = nullptr;
  std::size_t held_bytes_ = 0;
  bool congested_ = false;
};

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
