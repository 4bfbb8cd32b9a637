#include "storage/spooling.h"

#include <utility>

namespace hub::storage {

Spooling::Spooling(const Parts& parts, std::function<std::shared_ptr<void>()> hold_writer)
    : parts_(parts),
      lane_(parts.io, *parts.options.spool, SpoolOwner{parts.options.hub_id, parts.options.shard}),
      spooled_(lane_, targets_, parts.plans, parts.pool, parts.options.limits),
      watch_(parts.io, parts.options.spool_after,
             {.anything_waits = [this] { return parts_.pending.any(); },
              .look = [this](bool stalled) { on_look(stalled); },
              .hold_writer = std::move(hold_writer)}),
      told_spooling_(!lane_.empty()) {
  // Beyond those of the records that an earlier hub has left, as a number names one batch for ever.
  parts_.sender.number_from(lane_.last_number() + 1);
  lane_.changed = [this] { parts_.wake.wake(); };
  lane_.lost = [this](std::uint64_t records, std::string why) { on_lost(records, std::move(why)); };
}

void Spooling::stop() {
  lane_.close();
  watch_.stop();
}

void Spooling::on_pending(std::optional<Availability::Clock::time_point> trouble_since) {
  if (spooling_) {
    append_waiting();
  } else if (trouble_since &&
             Availability::Clock::now() - *trouble_since >= parts_.options.spool_after) {
    turn_to_spool();
  } else {
    watch_.start();
  }
}

void Spooling::on_look(bool stalled) {
  if (spooling_) {
    append_waiting();  // that failed before
  } else if (stalled) {
    turn_to_spool();
  }
}

void Spooling::turn_to_spool() {
  spooling_ = true;
  append_waiting();
}

void Spooling::append_waiting() {
  PendingBatches& pending = parts_.pending;
  while (spooling_ && !lane_.appending() && !parts_.delivery.stopped()) {
    // First what has been on its way to the database for too long: it was filled before the others.
    if (pending.sending && !pending.sending->spooled) return append(*pending.sending);
    pending.appending = pending.take_first();
    if (!pending.appending) return;
    if (!pending.appending->nothing_to_write()) return append(*pending.appending);
    parts_.delivery.tell_durable(*pending.appending);
    parts_.pool.give_back(std::move(pending.appending));
  }
}

// Its number is final from now on: the record may be sent by another hub, after this one was killed
// with the batch in doubt, and iothub.writer then has to tell that it is the same.
void Spooling::append(Batch& batch) {
  if (batch.number == 0) batch.number = parts_.sender.take_number();
  batch.number_is_final = true;
  appending_serial_ = batch.serial;
  const auto place = std::make_shared<Spooled>();
  *place = lane_.append(
      batch.number, write_spool_record(batch, targets_), spooled_messages(batch),
      [this, place](const std::optional<SpoolFault>& fault) { on_appended(*place, fault); });
}

void Spooling::on_appended(const Spooled& place, const std::optional<SpoolFault>& fault) {
  parts_.wake.wake();
  if (fault) {
    on_refused(*fault);
  } else {
    on_taken(place);
    append_waiting();
  }
}

void Spooling::on_refused(const SpoolFault& fault) {
  const bool known = fault_ && fault_->full == fault.full;
  if (parts_.pending.appending) parts_.pending.put_back(std::move(parts_.pending.appending));
  watch_.start();  // which tries again
  if (known) return;
  fault_ = fault;
  parts_.delivery.tell([fault](CommitListener& listener) { listener.on_spool_unavailable(fault); });
}

void Spooling::on_taken(const Spooled& place) {
  PendingBatches& pending = parts_.pending;
  parts_.counters.spooled_batches.add();
  parts_.counters.spooled_bytes.add(place.bytes);
  if (fault_) {
    fault_.reset();
    parts_.delivery.tell([](CommitListener& listener) { listener.on_spool_available(); });
  }
  if (!std::exchange(told_spooling_, true)) {
    parts_.delivery.tell([](CommitListener& listener) { listener.on_spooling(); });
  }
  if (pending.appending) {
    parts_.delivery.tell_durable(*pending.appending);
    parts_.pool.give_back(std::move(pending.appending));
    return;
  }
  lane_.skip(place.last);
  if (pending.sending && pending.sending->serial == appending_serial_) {
    pending.sending->spooled = place;
    parts_.delivery.tell_durable(*pending.sending);
  } else {  // it has committed meanwhile
    lane_.remove(place);
    note_drained();
  }
}

std::unique_ptr<Batch> Spooling::take() {
  std::unique_ptr<Batch> batch = spooled_.take();
  if (!batch) note_drained();
  return batch;
}

// Once little is left, what comes waits for it, so that the writer gets back to the direct way.
void Spooling::on_commit(const Batch& batch,
                         std::optional<Availability::Clock::time_point> trouble_since) {
  watch_.note_commit();
  if (batch.spooled) {
    parts_.counters.spool_records_drained.add(batch.spooled->records);
    lane_.remove(*batch.spooled);
    note_drained();
  }
  if (lane_.waiting().bytes <= parts_.options.limits.bytes) spooling_ = false;
  if (!spooling_ && parts_.pending.any()) on_pending(trouble_since);
}

void Spooling::on_lost(std::uint64_t records, std::string why) {
  parts_.counters.spool_records_lost.add(records);
  parts_.delivery.tell([records, why = std::move(why)](CommitListener& listener) {
    listener.on_spool_lost(records, why);
  });
  note_drained();
}

void Spooling::note_drained() {
  if (!told_spooling_ || !lane_.empty()) return;
  told_spooling_ = false;
  parts_.delivery.tell([](CommitListener& listener) { listener.on_spool_drained(); });
}

}  // namespace hub::storage
