#pragma once

#include <rocksdb/db.h>
#include <rocksdb/env.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "storage/spool_files.h"
#include "storage/spool_store.h"

namespace hub::storage {

// What is behind SpoolStore, whose calls these are.
class SpoolStore::Impl {
 public:
  explicit Impl(SpoolOptions options);
  ~Impl();

  std::optional<SpoolFault> append(std::span<const Entry> entries);
  Page read(const SpoolOwner& owner, std::uint64_t after, std::size_t max_bytes);
  void remove(const SpoolOwner& owner, SpoolPosition up_to);
  [[nodiscard]] std::vector<Lane> lanes() const;

  SpoolRecovery recovery;
  std::uint64_t bytes_on_disk = 0;

 private:
  static constexpr std::string_view kSegmentPrefix = "segment-";
  static constexpr std::uint64_t kWriteBuffersPerSegment = 2;

  using Handle = rocksdb::ColumnFamilyHandle;
  struct Segment {
    Handle* handle = nullptr;
    std::uint64_t id = 0;
    std::map<SpoolOwner, std::uint64_t> last_numbers;
    std::uint64_t bytes = 0;
  };

  rocksdb::Status open(rocksdb::WALRecoveryMode mode,
                       const std::shared_ptr<SpoolFindings>& findings);
  void forget_owners_without_records();
  void close();
  void find_lanes();
  void find_lanes(Segment& segment);
  rocksdb::Status add_segment();
  void rotate();
  void drop_removed_segments();
  void measure() { bytes_on_disk = bytes_of_files(options_.directory); }
  // Why there is no room.
  [[nodiscard]] std::optional<SpoolFault> no_room_for(std::uint64_t bytes);
  // After a failure that RocksDB does not get over by itself.
  [[nodiscard]] rocksdb::Status mend();
  void read_segment(const Segment& segment, const SpoolOwner& owner, std::uint64_t& after,
                    std::size_t max_bytes, std::size_t& bytes, Page& page);

  [[nodiscard]] rocksdb::ColumnFamilyOptions segment_options() const;

  const SpoolOptions options_;
  const std::uint64_t segment_bytes_;
  const std::uint64_t write_buffer_bytes_;
  std::unique_ptr<rocksdb::Env> env_;
  std::unique_ptr<rocksdb::DB> db_;
  Handle* marks_ = nullptr;        // the default family: for each owner what is removed
  std::vector<Segment> segments_;  // the newest last; one at least
  std::uint64_t next_segment_ = 1;
  std::map<SpoolOwner, Lane> lanes_;
  bool broken_ = false;           // an append failed, and RocksDB is to be told to go on
  std::set<std::string> failed_;  // the keys of appends that failed since one did not
};

}  // namespace hub::storage
