// The spool when it is opened, at the start and after a failure: what is found in it.
#include <fmt/format.h>
#include <rocksdb/table.h>

#include <algorithm>
#include <charconv>
#include <stdexcept>

#include "storage/spool_format.h"
#include "storage/spool_store_impl.h"

namespace hub::storage {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kSegmentParts = 16;  // of the whole bound
constexpr std::uint64_t kSegmentMaxBytes = std::uint64_t{64} << 20;
constexpr std::uint64_t kSegmentMinBytes = std::uint64_t{1} << 20;
constexpr std::uint64_t kWriteBufferMaxBytes = std::uint64_t{8} << 20;

}  // namespace

rocksdb::ColumnFamilyOptions SpoolStore::Impl::segment_options() const {
  rocksdb::BlockBasedTableOptions table;
  table.no_block_cache = true;
  table.block_size = std::size_t{32} << 10;
  rocksdb::ColumnFamilyOptions out;
  out.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  out.compression = rocksdb::kNoCompression;
  out.disable_auto_compactions = true;
  out.write_buffer_size = write_buffer_bytes_;
  out.max_write_buffer_number = kWriteBuffersPerSegment;
  return out;
}

SpoolStore::Impl::Impl(SpoolOptions options)
    : options_(std::move(options)),
      segment_bytes_(
          std::clamp(options_.size_bytes / kSegmentParts, kSegmentMinBytes, kSegmentMaxBytes)),
      write_buffer_bytes_(std::min(segment_bytes_, kWriteBufferMaxBytes)),
      env_(private_files()) {
  fs::create_directories(options_.directory);
  fs::permissions(options_.directory, fs::perms::owner_all);
  // The strict way first, as it alone tells of a record that was cut short.
  const auto strict = std::make_shared<SpoolFindings>();
  auto status = open(rocksdb::WALRecoveryMode::kAbsoluteConsistency, strict);
  if (status.IsCorruption()) {
    const auto lenient = std::make_shared<SpoolFindings>();
    const std::string said = status.ToString();
    status = open(rocksdb::WALRecoveryMode::kSkipAnyCorruptedRecords, lenient);
    recovery.dropped_bytes = std::max(strict->dropped_bytes, lenient->dropped_bytes);
    recovery.findings = lenient->lines.empty() ? strict->lines : lenient->lines;
    if (recovery.findings.empty()) recovery.findings.push_back(said);
  }
  if (!status.ok()) {
    throw std::runtime_error(fmt::format("the spool in {} cannot be opened: {}",
                                         options_.directory.string(), status.ToString()));
  }
  find_lanes();
  if (segments_.empty()) {
    if (const auto made = add_segment(); !made.ok()) {
      close();
      throw std::runtime_error(fmt::format("the spool in {} cannot be written: {}",
                                           options_.directory.string(), made.ToString()));
    }
  }
  drop_removed_segments();
  forget_owners_without_records();
  for (const auto& [owner, lane] : lanes_) {
    recovery.records += lane.last.sequence - std::min(lane.removed.sequence, lane.last.sequence);
  }
  measure();
}

SpoolStore::Impl::~Impl() { close(); }

rocksdb::Status SpoolStore::Impl::open(rocksdb::WALRecoveryMode mode,
                                       const std::shared_ptr<SpoolFindings>& findings) {
  rocksdb::DBOptions db_options;
  db_options.create_if_missing = true;
  db_options.env = env_.get();
  db_options.info_log = findings;
  db_options.wal_recovery_mode = mode;
  db_options.max_total_wal_size = 2 * write_buffer_bytes_;
  db_options.allow_fallocate = false;
  db_options.max_open_files = 64;
  db_options.max_background_jobs = 2;
  db_options.stats_dump_period_sec = 0;
  db_options.stats_persist_period_sec = 0;
  db_options.keep_log_file_num = 1;
  const std::string path = options_.directory.string();
  std::vector<std::string> names;
  if (!rocksdb::DB::ListColumnFamilies(db_options, path, &names).ok()) {
    names = {rocksdb::kDefaultColumnFamilyName};  // there is nothing yet
  }
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const std::string& name : names) {
    families.emplace_back(name, name == rocksdb::kDefaultColumnFamilyName
                                    ? rocksdb::ColumnFamilyOptions{}
                                    : segment_options());
  }
  std::vector<Handle*> handles;
  rocksdb::DB* db = nullptr;
  auto status = rocksdb::DB::Open(db_options, path, families, &handles, &db);
  findings->SetInfoLogLevel(rocksdb::FATAL_LEVEL);  // by other threads from now on
  if (!status.ok()) return status;
  db_.reset(db);
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == rocksdb::kDefaultColumnFamilyName) {
      marks_ = handles[i];
      continue;
    }
    Segment segment;
    segment.handle = handles[i];
    const std::string_view digits = std::string_view(names[i]).substr(kSegmentPrefix.size());
    std::from_chars(digits.data(), digits.data() + digits.size(), segment.id);
    next_segment_ = std::max(next_segment_, segment.id + 1);
    segments_.push_back(std::move(segment));
  }
  std::sort(segments_.begin(), segments_.end(),
            [](const Segment& a, const Segment& b) { return a.id < b.id; });
  return status;
}

void SpoolStore::Impl::close() {
  if (!db_) return;
  for (const Segment& segment : segments_) db_->DestroyColumnFamilyHandle(segment.handle);
  segments_.clear();
  if (marks_ != nullptr) db_->DestroyColumnFamilyHandle(marks_);
  marks_ = nullptr;
  (void)db_->Close();
  db_.reset();
}

void SpoolStore::Impl::find_lanes() {
  {
    const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator({}, marks_));
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      const auto owner = spool_key_owner(it->key().ToStringView(), 0);
      const auto mark = spool_mark_position(it->value().ToStringView());
      if (!owner || !mark) continue;
      const SpoolPosition removed = *mark;
      Lane& lane = lanes_[*owner];
      if (removed.number > lane.removed.number) lane.removed = removed;
      if (removed.number > lane.last.number) lane.last = removed;
    }
  }
  for (Segment& segment : segments_) find_lanes(segment);
  for (auto& [owner, lane] : lanes_) lane.owner = owner;
}

// Each owner's first and last key, without reading what is between. What is corrupt is found when
// it is read: here the keys are wanted, and as many of them as possible.
void SpoolStore::Impl::find_lanes(Segment& segment) {
  rocksdb::ReadOptions options;
  options.verify_checksums = false;
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(options, segment.handle));
  for (it->SeekToFirst(); it->Valid();) {
    const auto owner = spool_key_owner(it->key().ToStringView(), 8);
    if (!owner) {
      it->Next();
      continue;
    }
    const std::string behind = spool_key_behind(*owner);
    it->SeekForPrev(behind);
    while (it->Valid() && spool_key_owner(it->key().ToStringView(), 8) != owner) it->Prev();
    if (!it->Valid()) break;
    const std::string_view key = it->key().ToStringView();
    const std::uint64_t number = spool_key_number(key);
    segment.last_numbers[*owner] = number;
    Lane& lane = lanes_[*owner];
    if (number > lane.last.number) {
      const auto sequence = spool_value_sequence(key, it->value().ToStringView());
      const std::uint64_t at_most = lane.last.sequence + number - lane.last.number;
      lane.last = {number, sequence.value_or(at_most)};
    }
    it->Seek(behind);
  }
  if (!it->status().ok()) {
    recovery.findings.push_back(fmt::format("a segment is damaged: {}", it->status().ToString()));
  }
  std::uint64_t bytes = 0;
  if (db_->GetIntProperty(segment.handle, "rocksdb.total-sst-files-size", &bytes)) {
    segment.bytes = bytes;
  }
}

// Their marks are of no more use: a hub that starts anew writes under another id.
void SpoolStore::Impl::forget_owners_without_records() {
  std::erase_if(lanes_, [this](const auto& entry) {
    const bool has_records = std::any_of(
        segments_.begin(), segments_.end(),
        [&](const Segment& segment) { return segment.last_numbers.count(entry.first) > 0; });
    if (!has_records) (void)db_->Delete({}, marks_, spool_key(entry.first));
    return !has_records;
  });
}

rocksdb::Status SpoolStore::Impl::mend() {
  if (db_ && db_->Resume().ok()) return rocksdb::Status::OK();
  close();
  auto status =
      open(rocksdb::WALRecoveryMode::kSkipAnyCorruptedRecords, std::make_shared<SpoolFindings>());
  if (!status.ok()) return status;
  // A write of which only the sync failed is there now, and nobody knows of it.
  rocksdb::WriteBatch batch;
  for (const Segment& segment : segments_) {
    for (const std::string& key : failed_) (void)batch.Delete(segment.handle, key);
  }
  if (status = db_->Write({}, &batch); !status.ok()) {
    close();
    return status;
  }
  find_lanes();
  return segments_.empty() ? add_segment() : status;
}

}  // namespace hub::storage
