#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/batch.h"
#include "storage/spool.h"

namespace hub::storage {

// One writer's part of the spool, on the writer's thread: its records go in at one end and come out
// at the other, in order. Callbacks come by handlers of the writer's loop, and none once the lane
// is gone. At most a few records are in memory.
class SpoolLane {
 public:
  // io and spool outlive the lane. Begins with what an earlier hub has left for that owner.
  SpoolLane(boost::asio::io_context& io, Spool& spool, SpoolOwner owner);
  ~SpoolLane();
  SpoolLane(const SpoolLane&) = delete;
  SpoolLane& operator=(const SpoolLane&) = delete;

  // No callback comes any more.
  void close();

  // No record waits, or is about to.
  [[nodiscard]] bool empty() const noexcept { return waiting_.records == 0 && !appending_; }
  // What waits, without a record that is being appended; of what an earlier hub has left only the
  // records are known.
  [[nodiscard]] const Spooled& waiting() const noexcept { return waiting_; }
  // The number of the last record that there is; 0 for none.
  [[nodiscard]] std::uint64_t last_number() const noexcept { return last_.number; }

  // Appends a record; one at a time. Returns where it will be, before `done` says whether it is.
  // number: beyond all before, or again that of one that failed.
  Spooled append(std::uint64_t number, std::string record, std::uint64_t messages,
                 std::function<void(std::optional<SpoolFault>)> done);
  [[nodiscard]] bool appending() const noexcept { return appending_; }

  // The first record that was not taken yet, if it is in memory; otherwise it is being read, and
  // `changed` is called when that is done.
  [[nodiscard]] const SpoolRecord* front();
  void take_front();
  // What was just appended need not be read: the writer still has it.
  void skip(SpoolPosition up_to);
  // What is durable elsewhere leaves the spool.
  void remove(const Spooled& records);

  // Called when there is something new to look at.
  std::function<void()> changed;
  // Records that should be there and are not, and why.
  std::function<void(std::uint64_t records, std::string why)> lost;

 private:
  struct Home;  // where callbacks go

  void read_on();
  void on_page(SpoolStore::Page page);
  void note_gap(std::uint64_t sequence, const std::vector<std::string>& damage);

  Spool& spool_;
  const SpoolOwner owner_;
  std::shared_ptr<Home> home_;
  Spooled waiting_;
  SpoolPosition last_;  // appended
  SpoolPosition read_;  // into page_, or skipped
  std::deque<SpoolRecord> page_;
  bool appending_ = false;
  bool reading_ = false;
};

}  // namespace hub::storage
