// The spool while it is open: records come, are read and removed, and segments with them.
#include "storage/spool_store.h"

#include <fmt/format.h>

#include <algorithm>

#include "storage/spool_format.h"
#include "storage/spool_store_impl.h"

namespace hub::storage {

namespace fs = std::filesystem;

namespace {

// What one more segment, log file or manifest may add without a record.
constexpr std::uint64_t kOverheadBytes = std::uint64_t{128} << 10;

}  // namespace

std::vector<SpoolStore::Lane> SpoolStore::Impl::lanes() const {
  std::vector<Lane> out;
  for (const auto& [owner, lane] : lanes_) {
    if (lane.last.number > lane.removed.number) out.push_back(lane);
  }
  return out;
}

rocksdb::Status SpoolStore::Impl::add_segment() {
  Segment segment;
  segment.id = next_segment_;
  auto status = db_->CreateColumnFamily(
      segment_options(), fmt::format("{}{}", kSegmentPrefix, segment.id), &segment.handle);
  if (!status.ok()) return status;
  ++next_segment_;
  segments_.push_back(std::move(segment));
  return status;
}

// The newest segment takes no more records: what it holds moves from the log to its file.
void SpoolStore::Impl::rotate() {
  Handle* const full = segments_.back().handle;
  if (!add_segment().ok()) return;  // it takes more, then
  rocksdb::FlushOptions flush;
  flush.wait = false;
  flush.allow_write_stall = true;
  (void)db_->Flush(flush, full);
}

// The disk is never filled to its end: RocksDB needs room to move records from the log into files,
// and is slow to get over it when there is none.
std::optional<SpoolFault> SpoolStore::Impl::no_room_for(std::uint64_t bytes) {
  // What a write buffer holds is in the log and in its segment's file for a moment.
  const std::uint64_t more = bytes + kWriteBuffersPerSegment * write_buffer_bytes_ + kOverheadBytes;
  if (bytes_on_disk + more > options_.size_bytes) measure();
  if (bytes_on_disk + more > options_.size_bytes) {
    return SpoolFault{true, fmt::format("{} of its {} bytes (storage.spool_size) are in use, and "
                                        "the next batch takes up to {}",
                                        bytes_on_disk, options_.size_bytes, more)};
  }
  std::error_code error;
  const auto space = fs::space(options_.directory, error);
  if (!error && space.available < more) {
    return SpoolFault{true, fmt::format("the disk has {} bytes left", space.available)};
  }
  return std::nullopt;
}

std::optional<SpoolFault> SpoolStore::Impl::append(std::span<const Entry> entries) {
  std::uint64_t bytes = 0;
  for (const Entry& entry : entries) bytes += kSpoolHeaderBytes + entry.body.size();
  if (auto full = no_room_for(bytes)) return full;
  rocksdb::Status status;
  if (broken_) status = mend();
  if (status.ok()) {
    rocksdb::WriteBatch batch;
    for (const Entry& entry : entries) {
      const std::string key = spool_key(entry.owner, entry.position.number);
      (void)batch.Put(segments_.back().handle, key,
                      spool_value(key, entry.position.sequence, entry.body));
    }
    rocksdb::WriteOptions durable;
    durable.sync = true;
    status = db_->Write(durable, &batch);
  }
  if (!status.ok()) {
    broken_ = true;
    for (const Entry& entry : entries) {
      failed_.insert(spool_key(entry.owner, entry.position.number));
    }
    measure();
    return SpoolFault{status.IsNoSpace(), status.ToString()};
  }
  Segment& segment = segments_.back();
  broken_ = false;
  failed_.clear();
  for (const Entry& entry : entries) {
    segment.last_numbers[entry.owner] = entry.position.number;
    Lane& lane = lanes_[entry.owner];
    lane.owner = entry.owner;
    lane.last = entry.position;
  }
  segment.bytes += bytes;
  bytes_on_disk += bytes;
  if (segment.bytes >= segment_bytes_) {
    rotate();
    measure();
  }
  return std::nullopt;
}

SpoolStore::Page SpoolStore::Impl::read(const SpoolOwner& owner, std::uint64_t after,
                                        std::size_t max_bytes) {
  Page page;
  if (!db_) {
    page.fault = SpoolFault{false, "it could not be opened again"};
    return page;
  }
  std::size_t bytes = 0;
  for (const Segment& segment : segments_) {
    const auto last = segment.last_numbers.find(owner);
    if (last == segment.last_numbers.end() || last->second <= after) continue;
    read_segment(segment, owner, after, max_bytes, bytes, page);
    if (after < last->second) return page;
  }
  page.complete = true;
  return page;
}

void SpoolStore::Impl::read_segment(const Segment& segment, const SpoolOwner& owner,
                                    std::uint64_t& after, std::size_t max_bytes, std::size_t& bytes,
                                    Page& page) {
  const std::uint64_t last = segment.last_numbers.at(owner);
  const std::string behind = spool_key_behind(owner);
  const rocksdb::Slice bound(behind);
  rocksdb::ReadOptions options;
  options.iterate_upper_bound = &bound;
  options.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(options, segment.handle));
  bool told = false;  // of what is being stepped over
  it->Seek(spool_key(owner, after + 1));
  while (after < last && (page.records.empty() || bytes < max_bytes)) {
    if (it->Valid()) {
      const std::string_view key = it->key().ToStringView();
      const std::string_view value = it->value().ToStringView();
      after = spool_key_number(key);
      told = false;
      if (const auto sequence = spool_value_sequence(key, value)) {
        page.records.push_back({{after, *sequence}, std::string(value.substr(kSpoolHeaderBytes))});
        bytes += value.size();
      } else {
        page.damage.push_back(fmt::format("record {} is corrupt", after));
      }
      it->Next();
      continue;
    }
    if (!it->status().ok()) {
      if (!told) {
        page.damage.push_back(
            fmt::format("what follows record {} is corrupt: {}", after, it->status().ToString()));
      }
      told = true;
      ++after;
      it->Seek(spool_key(owner, after + 1));
      continue;
    }
    after = last;
  }
}

void SpoolStore::Impl::remove(const SpoolOwner& owner, SpoolPosition up_to) {
  const auto found = lanes_.find(owner);
  if (found == lanes_.end() || up_to.number <= found->second.removed.number) return;
  found->second.removed = up_to;
  if (!db_) return;
  (void)db_->Put({}, marks_, spool_key(owner), spool_mark(up_to));
  drop_removed_segments();
}

void SpoolStore::Impl::drop_removed_segments() {
  const auto is_removed = [this](const Segment& segment) {
    return std::all_of(segment.last_numbers.begin(), segment.last_numbers.end(),
                       [this](const auto& entry) {
                         return entry.second <= lanes_.at(entry.first).removed.number;
                       });
  };
  if (segments_.back().bytes > 0 && is_removed(segments_.back()) && !add_segment().ok()) return;
  const auto going = [&](const Segment& s) { return s.id != segments_.back().id && is_removed(s); };
  if (std::none_of(segments_.begin(), segments_.end(), going)) return;
  // A mark that is older than what is gone would be taken for a loss.
  if (!db_->FlushWAL(true).ok()) return;
  std::vector<Segment> kept;
  for (Segment& segment : segments_) {
    if (going(segment) && db_->DropColumnFamily(segment.handle).ok()) {
      db_->DestroyColumnFamilyHandle(segment.handle);
    } else {
      kept.push_back(std::move(segment));
    }
  }
  segments_ = std::move(kept);
  // What is gone goes from the log, too, once nothing else of its time is there only.
  rocksdb::FlushOptions flush;
  flush.allow_write_stall = true;
  (void)db_->Flush(flush, marks_);
  measure();
}

SpoolStore::SpoolStore(SpoolOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
SpoolStore::~SpoolStore() = default;

const SpoolRecovery& SpoolStore::recovery() const noexcept { return impl_->recovery; }
std::vector<SpoolStore::Lane> SpoolStore::lanes() const { return impl_->lanes(); }
std::optional<SpoolFault> SpoolStore::append(std::span<const Entry> entries) {
  return impl_->append(entries);
}
SpoolStore::Page SpoolStore::read(const SpoolOwner& owner, std::uint64_t after,
                                  std::size_t max_bytes) {
  return impl_->read(owner, after, max_bytes);
}
void SpoolStore::remove(const SpoolOwner& owner, SpoolPosition up_to) {
  impl_->remove(owner, up_to);
}
std::uint64_t SpoolStore::bytes_on_disk() const noexcept { return impl_->bytes_on_disk; }

}  // namespace hub::storage
