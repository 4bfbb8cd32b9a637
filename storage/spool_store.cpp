// The only file that knows RocksDB.
#include "storage/spool_store.h"

#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <sys/stat.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <map>
#include <stdexcept>

#include "storage/byte_buffer.h"

namespace hub::storage {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kSegmentPrefix = "segment-";
constexpr std::uint64_t kSegmentParts = 16;  // of the whole bound
constexpr std::uint64_t kSegmentMaxBytes = std::uint64_t{64} << 20;
constexpr std::uint64_t kSegmentMinBytes = std::uint64_t{1} << 20;
constexpr std::uint64_t kWriteBufferMaxBytes = std::uint64_t{8} << 20;
constexpr std::uint64_t kWriteBuffersPerSegment = 2;
// What one more segment, log file or manifest may add without a record.
constexpr std::uint64_t kOverheadBytes = std::uint64_t{128} << 10;

// How a record is stored: this in network byte order, then the body.
//   u32 format  u64 hash of all that follows and of the key  u64 sequence
constexpr std::uint32_t kFormat = 0x49485301;  // "IHS", 1
constexpr std::size_t kHeaderBytes = 4 + 8 + 8;

std::uint64_t load64(const char* from) {
  std::uint64_t value;
  std::memcpy(&value, from, sizeof value);
  return __builtin_bswap64(value);
}
std::uint32_t load32(const char* from) {
  return static_cast<std::uint32_t>(ByteBuffer::load_int32(from));
}

// hub id, a zero, shard, number: an owner's keys are in the order of their numbers.
std::string key_of(const SpoolOwner& owner) {
  std::string key = owner.hub_id;
  key.push_back('\0');
  char shard[4];
  ByteBuffer::store(shard, owner.shard);
  return key.append(shard, sizeof shard);
}
std::string key_of(const SpoolOwner& owner, std::uint64_t number) {
  std::string key = key_of(owner);
  char bytes[8];
  ByteBuffer::store(bytes, number);
  return key.append(bytes, sizeof bytes);
}
std::string key_behind(const SpoolOwner& owner) { return key_of({owner.hub_id, owner.shard + 1}); }

std::optional<SpoolOwner> owner_of(std::string_view key, std::size_t behind_bytes) {
  if (key.size() < 5 + behind_bytes) return std::nullopt;
  const std::size_t id_bytes = key.size() - behind_bytes - 5;
  if (key[id_bytes] != '\0') return std::nullopt;
  return SpoolOwner{std::string(key.substr(0, id_bytes)), load32(key.data() + id_bytes + 1)};
}
std::uint64_t number_of(std::string_view key) { return load64(key.data() + key.size() - 8); }

std::uint64_t hash_of(std::string_view key, std::string_view behind_hash) {
  return XXH3_64bits_withSeed(behind_hash.data(), behind_hash.size(),
                              XXH3_64bits(key.data(), key.size()));
}

std::string stored(std::string_view key, std::uint64_t sequence, std::string_view body) {
  ByteBuffer head;
  head.put(kFormat);
  head.put(std::uint64_t{0});
  head.put(sequence);
  std::string out;
  out.reserve(kHeaderBytes + body.size());
  out.append(head.view()).append(body);
  ByteBuffer::store(out.data() + 4, hash_of(key, std::string_view(out).substr(12)));
  return out;
}

// Nothing when the value is not what was stored.
std::optional<std::uint64_t> sequence_of(std::string_view key, std::string_view value) {
  if (value.size() < kHeaderBytes || load32(value.data()) != kFormat) return std::nullopt;
  if (load64(value.data() + 4) != hash_of(key, value.substr(12))) return std::nullopt;
  return load64(value.data() + 12);
}

// Files that only their owner may read, whatever the umask.
class PrivateFiles final : public rocksdb::FileSystemWrapper {
 public:
  PrivateFiles() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "PrivateFiles"; }
  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* out,
                                    rocksdb::IODebugContext* context) override {
    auto status = target()->NewWritableFile(name, options, out, context);
    if (status.ok()) ::chmod(name.c_str(), S_IRUSR | S_IWUSR);
    return status;
  }
};

// Keeps what RocksDB says about bytes that it left out.
class Findings final : public rocksdb::Logger {
 public:
  Findings() : Logger(rocksdb::WARN_LEVEL) {}
  using Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    char line[512];
    std::vsnprintf(line, sizeof line, format, arguments);
    const std::string_view text = line;
    constexpr std::string_view kDropping = "dropping ";
    const auto at = text.find(kDropping);
    if (at == std::string_view::npos) return;
    const auto digits = text.substr(at + kDropping.size());
    std::uint64_t bytes = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), bytes);
    dropped_bytes += bytes;
    lines.emplace_back(text.substr(at));
  }

  std::uint64_t dropped_bytes = 0;
  std::vector<std::string> lines;
};

std::uint64_t size_of(const fs::path& directory) {
  std::uint64_t sum = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    struct stat info{};
    if (::lstat(entry.path().c_str(), &info) == 0) {
      sum += std::max(static_cast<std::uint64_t>(info.st_size),
                      static_cast<std::uint64_t>(info.st_blocks) * 512);
    }
  }
  return sum;
}

}  // namespace

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
  using Handle = rocksdb::ColumnFamilyHandle;
  struct Segment {
    Handle* handle = nullptr;
    std::uint64_t id = 0;
    std::map<SpoolOwner, std::uint64_t> last_numbers;
    std::uint64_t bytes = 0;
  };

  rocksdb::Status open(rocksdb::WALRecoveryMode mode, const std::shared_ptr<Findings>& findings);
  void forget_owners_without_records();
  void close();
  void find_lanes();
  void find_lanes(Segment& segment);
  rocksdb::Status add_segment();
  void rotate();
  void drop_removed_segments();
  void measure() { bytes_on_disk = size_of(options_.directory); }
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
  bool broken_ = false;  // an append failed, and RocksDB is to be told to go on
};

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
      env_(rocksdb::NewCompositeEnv(std::make_shared<PrivateFiles>())) {
  fs::create_directories(options_.directory);
  fs::permissions(options_.directory, fs::perms::owner_all);
  // The strict way first, as it alone tells of a record that was cut short.
  const auto strict = std::make_shared<Findings>();
  auto status = open(rocksdb::WALRecoveryMode::kAbsoluteConsistency, strict);
  if (status.IsCorruption()) {
    const auto lenient = std::make_shared<Findings>();
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
                                       const std::shared_ptr<Findings>& findings) {
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
      const auto owner = owner_of(it->key().ToStringView(), 0);
      if (!owner || it->value().size() != 16) continue;
      const SpoolPosition removed{load64(it->value().data()), load64(it->value().data() + 8)};
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
    const auto owner = owner_of(it->key().ToStringView(), 8);
    if (!owner) break;
    const std::string behind = key_behind(*owner);
    it->SeekForPrev(behind);
    if (!it->Valid()) break;
    const std::string_view key = it->key().ToStringView();
    const std::uint64_t number = number_of(key);
    segment.last_numbers[*owner] = number;
    Lane& lane = lanes_[*owner];
    if (number > lane.last.number) {
      const auto sequence = sequence_of(key, it->value().ToStringView());
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
    if (!has_records) (void)db_->Delete({}, marks_, key_of(entry.first));
    return !has_records;
  });
}

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
    return SpoolFault{true, fmt::format("its {} bytes are in use", options_.size_bytes)};
  }
  std::error_code error;
  const auto space = fs::space(options_.directory, error);
  if (!error && space.available < more) {
    return SpoolFault{true, fmt::format("the disk has {} bytes left", space.available)};
  }
  return std::nullopt;
}

rocksdb::Status SpoolStore::Impl::mend() {
  if (db_ && db_->Resume().ok()) return rocksdb::Status::OK();
  close();
  auto status =
      open(rocksdb::WALRecoveryMode::kSkipAnyCorruptedRecords, std::make_shared<Findings>());
  if (!status.ok()) return status;
  find_lanes();
  return segments_.empty() ? add_segment() : status;
}

std::optional<SpoolFault> SpoolStore::Impl::append(std::span<const Entry> entries) {
  std::uint64_t bytes = 0;
  for (const Entry& entry : entries) bytes += kHeaderBytes + entry.body.size();
  if (auto full = no_room_for(bytes)) return full;
  rocksdb::Status status;
  if (broken_) status = mend();
  if (status.ok()) {
    rocksdb::WriteBatch batch;
    for (const Entry& entry : entries) {
      const std::string key = key_of(entry.owner, entry.position.number);
      (void)batch.Put(segments_.back().handle, key,
                      stored(key, entry.position.sequence, entry.body));
    }
    rocksdb::WriteOptions durable;
    durable.sync = true;
    status = db_->Write(durable, &batch);
  }
  if (!status.ok()) {
    broken_ = true;
    measure();
    return SpoolFault{status.IsNoSpace(), status.ToString()};
  }
  Segment& segment = segments_.back();
  broken_ = false;
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
    if (!page.records.empty() && bytes >= max_bytes) break;
  }
  const auto lane = lanes_.find(owner);
  page.complete = lane == lanes_.end() || after >= lane->second.last.number;
  return page;
}

void SpoolStore::Impl::read_segment(const Segment& segment, const SpoolOwner& owner,
                                    std::uint64_t& after, std::size_t max_bytes, std::size_t& bytes,
                                    Page& page) {
  const std::uint64_t last = segment.last_numbers.at(owner);
  const std::string behind = key_behind(owner);
  const rocksdb::Slice bound(behind);
  rocksdb::ReadOptions options;
  options.iterate_upper_bound = &bound;
  options.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(options, segment.handle));
  bool told = false;  // of what is being stepped over
  it->Seek(key_of(owner, after + 1));
  while (after < last && (page.records.empty() || bytes < max_bytes)) {
    if (it->Valid()) {
      const std::string_view key = it->key().ToStringView();
      const std::string_view value = it->value().ToStringView();
      after = number_of(key);
      told = false;
      if (const auto sequence = sequence_of(key, value)) {
        page.records.push_back({{after, *sequence}, std::string(value.substr(kHeaderBytes))});
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
      it->Seek(key_of(owner, after + 1));
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
  char value[16];
  ByteBuffer::store(value, up_to.number);
  ByteBuffer::store(value + 8, up_to.sequence);
  (void)db_->Put({}, marks_, key_of(owner), {value, sizeof value});
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
