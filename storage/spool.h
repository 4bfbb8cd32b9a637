#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/spool_store.h"

namespace hub::storage {

struct SpoolStatus {
  std::uint64_t bytes_on_disk = 0;
  std::uint64_t size_bytes = 0;     // its bound
  std::uint64_t syncs = 0;          // groups of records that were made durable
  std::uint64_t records = 0;        // in these groups
  std::optional<SpoolFault> fault;  // of the last append, while none has succeeded since
};

// The spool of a hub, for all its writers: a SpoolStore on a thread of its own, so that no shard
// waits for the disk. What writers append while a sync is under way is made durable by the next
// one, all of it together.
//
// Every call on any thread, at once. Each `done` is called on the spool's thread, in the order of
// the calls of one kind; it may call the spool.
class Spool {
 public:
  // Opens the store; throws as it does.
  explicit Spool(SpoolOptions options);
  // Carries out what was asked for, and calls back, before it returns.
  ~Spool();
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  // As of the opening.
  [[nodiscard]] const SpoolRecovery& recovery() const noexcept;
  [[nodiscard]] const std::vector<SpoolStore::Lane>& lanes() const noexcept;

  // done: empty when the record is durable.
  void append(SpoolOwner owner, SpoolPosition position, std::string body,
              std::function<void(std::optional<SpoolFault>)> done);
  void read(SpoolOwner owner, std::uint64_t after, std::size_t max_bytes,
            std::function<void(SpoolStore::Page)> done);
  void remove(SpoolOwner owner, SpoolPosition up_to);

  [[nodiscard]] SpoolStatus status() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hub::storage
