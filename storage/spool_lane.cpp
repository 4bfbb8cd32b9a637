#include "storage/spool_lane.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <mutex>
#include <utility>

namespace hub::storage {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kPageBytes = std::size_t{4} << 20;

}  // namespace

// Shared with the spool's thread, which posts as long as the lane is there.
struct SpoolLane::Home : std::enable_shared_from_this<Home> {
  Home(asio::io_context& loop, SpoolLane& owner) : io(&loop), lane(&owner) {}

  // Runs f(lane) on the writer's loop.
  template <class F>
  void post(F f) {
    const std::lock_guard lock(mutex);
    if (io == nullptr) return;
    asio::post(*io, [self = shared_from_this(), f = std::move(f)]() mutable {
      if (self->lane != nullptr) f(*self->lane);
    });
  }
  void close() {
    const std::lock_guard lock(mutex);
    io = nullptr;
    lane = nullptr;
  }

  std::mutex mutex;
  asio::io_context* io;  // guarded by mutex
  SpoolLane* lane;       // of the writer's thread
};

SpoolLane::SpoolLane(asio::io_context& io, Spool& spool, SpoolOwner owner)
    : spool_(spool), owner_(std::move(owner)), home_(std::make_shared<Home>(io, *this)) {
  for (const SpoolStore::Lane& left : spool_.lanes()) {
    if (left.owner != owner_) continue;
    last_ = left.last;
    read_ = left.removed;
    waiting_.records = left.last.sequence - std::min(left.removed.sequence, left.last.sequence);
  }
}

SpoolLane::~SpoolLane() { close(); }

void SpoolLane::close() { home_->close(); }

Spooled SpoolLane::append(std::uint64_t number, std::string record, std::uint64_t messages,
                          std::function<void(std::optional<SpoolFault>)> done) {
  Spooled place{{number, last_.sequence + 1}, 1, messages, record.size()};
  appending_ = true;
  spool_.append(owner_, place.last, std::move(record),
                [home = home_, place, done = std::move(done)](std::optional<SpoolFault> fault) {
                  home->post([place, done, fault = std::move(fault)](SpoolLane& lane) {
                    lane.appending_ = false;
                    if (!fault) {
                      lane.last_ = place.last;
                      ++lane.waiting_.records;
                      lane.waiting_.messages += place.messages;
                      lane.waiting_.bytes += place.bytes;
                    }
                    done(fault);
                  });
                });
  return place;
}

const SpoolRecord* SpoolLane::front() {
  if (page_.empty()) read_on();
  return page_.empty() ? nullptr : &page_.front();
}

void SpoolLane::take_front() {
  page_.pop_front();
  if (page_.empty()) read_on();
}

void SpoolLane::skip(SpoolPosition up_to) { read_ = up_to; }

void SpoolLane::remove(const Spooled& records) {
  const auto less = [](std::uint64_t& from, std::uint64_t by) { from -= std::min(from, by); };
  less(waiting_.records, records.records);
  less(waiting_.messages, records.messages);
  less(waiting_.bytes, records.bytes);
  spool_.remove(owner_, records.last);
}

void SpoolLane::read_on() {
  if (reading_ || read_.number >= last_.number) return;
  reading_ = true;
  spool_.read(owner_, read_.number, kPageBytes, [home = home_](SpoolStore::Page page) {
    home->post(
        [page = std::move(page)](SpoolLane& lane) mutable { lane.on_page(std::move(page)); });
  });
}

void SpoolLane::on_page(SpoolStore::Page page) {
  reading_ = false;
  if (page.fault) return;  // front() asks again
  for (SpoolRecord& record : page.records) {
    note_gap(record.position.sequence, page.damage);
    read_ = record.position;
    page_.push_back(std::move(record));
  }
  if (page.complete && read_.number < last_.number) {
    note_gap(last_.sequence + 1, page.damage);
    read_ = last_;
  }
  if (changed) changed();
}

void SpoolLane::note_gap(std::uint64_t sequence, const std::vector<std::string>& damage) {
  const std::uint64_t missing = sequence - std::min(sequence, read_.sequence + 1);
  if (missing == 0) return;
  waiting_.records -= std::min(waiting_.records, missing);
  if (lost) lost(missing, damage.empty() ? "they are not there" : damage.front());
}

}  // namespace hub::storage
