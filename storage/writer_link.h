#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <memory>
#include <optional>

#include "storage/availability.h"
#include "storage/batch_sender.h"
#include "storage/connector.h"
#include "storage/pg_link.h"
#include "storage/wake_up.h"
#include "storage/writer_counters.h"

namespace hub::storage {

// A writer's connection to the database: made, claimed for the writer, lost, made again. On the
// writer's thread.
class WriterLink {
 public:
  // All that is given outlives it.
  WriterLink(boost::asio::io_context& io, Connector& connector, BatchSender& sender,
             Availability& availability, WakeUp& wake, WriterCounters& counters) noexcept
      : io_(io),
        connector_(connector),
        sender_(sender),
        availability_(availability),
        wake_(wake),
        counters_(counters) {}

  [[nodiscard]] bool up() const noexcept { return link_ != nullptr; }
  // Requires up().
  [[nodiscard]] PgLink& operator*() noexcept { return *link_; }

  // One attempt to make it, after a pause if the one before has failed, too. Returns the number of
  // the last batch that the database has: nothing that an earlier link has sent commits any more.
  // Empty when there is no link, as `availability` was told, or when the writer is stopped. Throws
  // LinkLost.
  boost::asio::awaitable<std::optional<std::uint64_t>> connect();

  // Lets go of it.
  void drop() noexcept { link_.reset(); }
  // The same after LinkLost.
  void lost(const DatabaseFault& fault);

  // Ends what waits for it; it is still to be dropped, by who has waited.
  void stop();

 private:
  boost::asio::awaitable<std::unique_ptr<PgLink>> open();

  boost::asio::io_context& io_;
  Connector& connector_;
  BatchSender& sender_;
  Availability& availability_;
  WakeUp& wake_;
  WriterCounters& counters_;
  std::unique_ptr<Connector::Attempt> attempt_;
  std::unique_ptr<PgLink> link_;
  std::uint64_t timeouts_seen_ = 0;
};

}  // namespace hub::storage
