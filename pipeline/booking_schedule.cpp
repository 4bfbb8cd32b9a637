#include "pipeline/booking_schedule.h"

#include <boost/asio/post.hpp>

namespace hub {

BookingSchedule::BookingSchedule(boost::asio::io_context& io, storage::BatchWriter& writer,
                                 MessageAccounts& accounts, ShardUsage* usage)
    : io_(io), writer_(writer), accounts_(accounts), usage_(usage), timer_(io) {}

bool BookingSchedule::dirty() const noexcept {
  return accounts_.dirty() || (usage_ != nullptr && usage_->dirty());
}

void BookingSchedule::end_of_turn() {
  if (!dirty()) return;
  if (stopping_ || accounts_.many_dirty()) {
    begin_booking();
    return;
  }
  if (timer_runs_) return;
  timer_runs_ = true;
  timer_.expires_after(kInterval);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    timer_runs_ = false;
    begin_booking();
    writer_.end_of_turn();
  });
}

void BookingSchedule::begin_booking() {
  accounts_.begin_booking();
  writer_.ledger_changed();
}

void BookingSchedule::book() {
  accounts_.book(writer_);
  if (usage_ != nullptr) usage_->book(writer_);
  if (accounts_.booked_up() && (usage_ == nullptr || usage_->booked_up())) return;
  // Not from here: the batch that is closing would be asked for instead of the next one.
  boost::asio::post(io_, [this] {
    writer_.ledger_changed();
    writer_.end_of_turn();
  });
}

}  // namespace hub
