#include "storage/writer_link.h"

#include <utility>

namespace hub::storage {

namespace asio = boost::asio;

asio::awaitable<std::optional<std::uint64_t>> WriterLink::connect() {
  if (availability_.failures() > 1) co_await wake_.pause(availability_.next_pause());
  if (wake_.stopped()) co_return std::nullopt;
  link_ = co_await open();
  if (!link_) co_return std::nullopt;
  // Before anything is sent. A batch whose COMMIT was not answered may be in the database, or still
  // on its way there: raising the writer's link number makes its mark fail from now on, waits for
  // it where it is just committing, and reads what has committed in the end.
  const BatchSender::Claimed claimed = co_await sender_.claim(*link_);
  if (claimed.fault) {
    link_.reset();
    availability_.on_trouble(*claimed.fault);
    co_return std::nullopt;
  }
  counters_.connections.add();
  co_return claimed.last_batch;
}

asio::awaitable<std::unique_ptr<PgLink>> WriterLink::open() {
  pg_conn* connection = nullptr;
  DatabaseFault fault;
  bool done = false;
  attempt_ = connector_.connect(io_, [&, this](pg_conn* made, DatabaseFault why) {
    connection = made;
    fault = std::move(why);
    done = true;
    wake_.wake();
  });
  while (!done && !wake_.stopped()) co_await wake_.wait();
  attempt_.reset();
  PgConnection owned(connection);
  if (wake_.stopped()) co_return nullptr;
  if (!owned) {
    counters_.connection_failures.add();
    availability_.on_trouble(std::move(fault));
    co_return nullptr;
  }
  auto link = std::make_unique<PgLink>(io_, std::move(owned), counters_);
  link->set_answer_timeout(availability_.answer_timeout());
  co_return link;
}

void WriterLink::lost(const DatabaseFault& fault) {
  link_.reset();
  const std::uint64_t timeouts = counters_.answer_timeouts.value();
  if (std::exchange(timeouts_seen_, timeouts) != timeouts) availability_.on_answer_timeout();
  availability_.on_trouble(fault);
}

void WriterLink::stop() {
  attempt_.reset();
  if (link_) link_->close();
}

}  // namespace hub::storage
