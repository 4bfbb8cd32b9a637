#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hub::storage {

// A writer's records in the spool: their owner is a writer as iothub.writer names it.
struct SpoolOwner {
  std::string hub_id;
  std::uint32_t shard = 0;

  friend bool operator==(const SpoolOwner&, const SpoolOwner&) = default;
  friend auto operator<=>(const SpoolOwner&, const SpoolOwner&) = default;
};

// Where a record stands among its owner's. Both numbers rise from record to record; `number` may
// jump, `sequence` never does, so that a record that is gone shows.
struct SpoolPosition {
  std::uint64_t number = 0;    // the mark of the record's batch
  std::uint64_t sequence = 0;  // 1 is the owner's first record ever

  friend bool operator==(const SpoolPosition&, const SpoolPosition&) = default;
};

struct SpoolRecord {
  SpoolPosition position;
  std::string body;
};

// One record of an owner, or several that follow one another.
struct Spooled {
  SpoolPosition last;
  std::uint64_t records = 0;
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
};

// Why the spool took nothing.
struct SpoolFault {
  bool full = false;  // its bound, or the disk's
  std::string message;
};

struct SpoolOptions {
  std::filesystem::path directory;
  std::uint64_t size_bytes = std::uint64_t{1} << 30;  // on disk, at most
};

// What was found when the store was opened.
struct SpoolRecovery {
  std::uint64_t records = 0;          // that wait, as far as can be told without reading them
  std::uint64_t dropped_bytes = 0;    // of the log's end, or of its midst: torn or corrupt
  std::vector<std::string> findings;  // what was wrong, a sentence for each; empty: nothing
};

// The spool's files: records on disk, in order for each owner, until they are removed.
//
// A RocksDB whose column families are the segments of a log: a record goes to the newest one, and a
// segment is dropped as a whole once all of its records are removed. So nothing is ever compacted,
// and the room comes back at once. docs/spool.md has the format.
//
// The end of the log is cut at the last whole record. A record in the midst that cannot be read is
// left out, what follows it is kept; the gap in the sequence tells.
//
// Every call blocks on the disk. One thread at a time.
class SpoolStore {
 public:
  // Opens the store in that directory, or makes both, readable by this user only. Throws
  // std::runtime_error with a sentence for a person.
  explicit SpoolStore(SpoolOptions options);
  ~SpoolStore();
  SpoolStore(const SpoolStore&) = delete;
  SpoolStore& operator=(const SpoolStore&) = delete;

  [[nodiscard]] const SpoolRecovery& recovery() const noexcept;

  // Those that have records.
  struct Lane {
    SpoolOwner owner;
    SpoolPosition removed;  // the last record before the first
    SpoolPosition last;
  };
  [[nodiscard]] std::vector<Lane> lanes() const;

  struct Entry {
    SpoolOwner owner;
    SpoolPosition position;  // beyond the owner's last one; or equal to it: in its place
    std::string_view body;
  };
  // All of them, or none. Empty when they are durable. After a fault they may still come to light
  // when the store is opened again.
  [[nodiscard]] std::optional<SpoolFault> append(std::span<const Entry> entries);

  struct Page {
    std::vector<SpoolRecord> records;
    std::vector<std::string> damage;  // what could not be read, a sentence for each
    bool complete = false;            // there is no record behind these
    // The store cannot be read for now; the rest says nothing.
    std::optional<SpoolFault> fault;
  };
  // The owner's records behind that number, in order; so many bytes, but one record at least.
  [[nodiscard]] Page read(const SpoolOwner& owner, std::uint64_t after, std::size_t max_bytes);

  // The owner's records up to there are done with. Takes no sync: a record that comes back by a
  // loss of power is recognised by its mark.
  void remove(const SpoolOwner& owner, SpoolPosition up_to);

  // Of all files, as of the last change.
  [[nodiscard]] std::uint64_t bytes_on_disk() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hub::storage
