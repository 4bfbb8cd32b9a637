#include "storage/spool_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <random>

#include "storage/spool_format.h"
#include "tests/support/temporary_directory.h"

namespace {

std::atomic<bool> syncs_fail = false;

}  // namespace

// Stands in for the C library's.
extern "C" int fdatasync(int file) {
  if (!syncs_fail) return static_cast<int>(::syscall(SYS_fdatasync, file));
  errno = EIO;
  return -1;
}

namespace hub::storage {
namespace {

namespace fs = std::filesystem;
using test::TemporaryDirectory;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const SpoolOwner kOwner{"11111111-2222-3333-4444-555555555555", 0};
const SpoolOwner kNeighbour{"11111111-2222-3333-4444-555555555555", 1};
constexpr std::size_t kAll = std::size_t{1} << 40;

std::string body_of(std::uint64_t number, std::size_t bytes = 300) {
  std::string out = fmt::format("record {} ", number);
  std::minstd_rand random{static_cast<unsigned>(number) + 1};
  while (out.size() < bytes) out.push_back(static_cast<char>(random()));
  return out;
}

void append(SpoolStore& store, std::uint64_t number, const std::string& body,
            const SpoolOwner& owner = kOwner) {
  const SpoolStore::Entry entries[] = {{owner, {number, number}, body}};
  const auto fault = store.append(entries);
  ASSERT_FALSE(fault) << fault->message;
}

void append_numbers(SpoolStore& store, std::uint64_t first, std::uint64_t last,
                    const SpoolOwner& owner = kOwner) {
  for (std::uint64_t number = first; number <= last; ++number) {
    append(store, number, body_of(number), owner);
  }
}

// The numbers of the records, each of which must be as it was written.
std::vector<std::uint64_t> numbers_in(SpoolStore& store, const SpoolOwner& owner = kOwner,
                                      std::uint64_t after = 0) {
  std::vector<std::uint64_t> out;
  for (const SpoolRecord& record : store.read(owner, after, kAll).records) {
    EXPECT_EQ(record.body, body_of(record.position.number, record.body.size()));
    EXPECT_EQ(record.position.sequence, record.position.number);
    out.push_back(record.position.number);
  }
  return out;
}

fs::path newest(const fs::path& directory, std::string_view extension) {
  fs::path out;
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.path().extension() == extension && entry.path() > out) out = entry.path();
  }
  return out;
}

// What a power cut or a kill leaves: the files of a store that was not closed.
void copy_open_store(const fs::path& from, const fs::path& to) {
  fs::remove_all(to);
  fs::copy(from, to);
}

void flip_bit(const fs::path& file, std::uint64_t at, unsigned bit = 3) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekg(static_cast<std::streamoff>(at));
  const char byte = static_cast<char>(stream.get());
  stream.seekp(static_cast<std::streamoff>(at));
  stream.put(static_cast<char>(byte ^ (1 << bit)));
}

TEST(SpoolStore, GivesRecordsBackInOrderForEachOwner) {
  TemporaryDirectory directory;
  SpoolStore store{{directory.path() / "spool"}};
  const std::string body = "same for both";
  for (std::uint64_t number = 1; number <= 300; ++number) {
    const SpoolStore::Entry entries[] = {{kOwner, {number, number}, body},
                                         {kNeighbour, {number * 10, number}, body}};
    ASSERT_FALSE(store.append(entries));
  }
  const auto own = store.read(kOwner, 0, kAll);
  const auto other = store.read(kNeighbour, 0, kAll);
  ASSERT_EQ(own.records.size(), 300u);
  ASSERT_EQ(other.records.size(), 300u);
  for (std::uint64_t i = 0; i < 300; ++i) {
    EXPECT_EQ(own.records[i].position, (SpoolPosition{i + 1, i + 1}));
    EXPECT_EQ(other.records[i].position, (SpoolPosition{10 * (i + 1), i + 1}));
  }
  EXPECT_TRUE(own.complete);
}

TEST(SpoolStore, ReadsAFewRecordsAtATimeAndOneAtLeast) {
  TemporaryDirectory directory;
  SpoolStore store{{directory.path() / "spool"}};
  append_numbers(store, 1, 10);
  const auto some = store.read(kOwner, 0, 700);
  EXPECT_EQ(some.records.size(), 3u);
  EXPECT_FALSE(some.complete);
  EXPECT_EQ(store.read(kOwner, 3, 1).records.size(), 1u);
  EXPECT_EQ(store.read(kOwner, 3, 1).records.front().position.number, 4u);
  EXPECT_THAT(numbers_in(store, kOwner, 8), ElementsAre(9, 10));
  EXPECT_THAT(numbers_in(store, kOwner, 10), IsEmpty());
}

TEST(SpoolStore, KeepsWhatIsNotRemovedThroughAReopening) {
  TemporaryDirectory directory;
  {
    SpoolStore store{{directory.path() / "spool"}};
    append_numbers(store, 1, 5);
    append_numbers(store, 1, 3, kNeighbour);
    store.remove(kOwner, {2, 2});
    store.remove(kNeighbour, {3, 3});
  }
  SpoolStore store{{directory.path() / "spool"}};
  EXPECT_THAT(store.recovery().findings, IsEmpty());
  EXPECT_EQ(store.recovery().records, 3u);
  const auto lanes = store.lanes();
  ASSERT_EQ(lanes.size(), 1u);
  EXPECT_EQ(lanes[0].owner, kOwner);
  EXPECT_EQ(lanes[0].removed, (SpoolPosition{2, 2}));
  EXPECT_EQ(lanes[0].last, (SpoolPosition{5, 5}));
  EXPECT_THAT(numbers_in(store, kOwner, 2), ElementsAre(3, 4, 5));
}

TEST(SpoolStore, FilesAreReadableByTheirOwnerOnly) {
  TemporaryDirectory directory;
  const fs::path path = directory.path() / "spool";
  SpoolStore store{{path}};
  append_numbers(store, 1, 5);
  store.remove(kOwner, {5, 5});
  EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_all);
  for (const auto& entry : fs::directory_iterator(path)) {
    const auto open_to_others =
        entry.status().permissions() & (fs::perms::group_all | fs::perms::others_all);
    if (entry.path().filename() == "LOCK") continue;  // empty
    EXPECT_EQ(open_to_others, fs::perms::none) << entry.path();
  }
}

TEST(SpoolStore, CutsATornLastRecordAtEveryLengthAndSaysSo) {
  TemporaryDirectory directory;
  const fs::path whole = directory.path() / "whole";
  const fs::path torn = directory.path() / "torn";
  SpoolStore store{{whole}};
  append_numbers(store, 1, 3);
  const fs::path log = newest(whole, ".log");
  const auto before = fs::file_size(log);
  append(store, 4, body_of(4, 40));
  const auto after = fs::file_size(log);
  ASSERT_GT(after, before + 40);
  for (auto size = before; size <= after; ++size) {
    copy_open_store(whole, torn);
    fs::resize_file(torn / log.filename(), size);
    SpoolStore again{{torn}};
    const bool is_whole = size == before || size == after;
    EXPECT_EQ(again.recovery().findings.empty(), is_whole) << size - before;
    EXPECT_EQ(again.recovery().dropped_bytes > 0, !is_whole) << size - before;
    EXPECT_EQ(numbers_in(again).size(), size == after ? 4u : 3u) << size - before;
    if (size % 20 != 0) continue;
    // And goes on.
    append(again, 5, body_of(5));
    EXPECT_EQ(numbers_in(again).back(), 5u);
  }
}

TEST(SpoolStore, LeavesOutARecordOfTheLogThatIsCorruptAndSaysSo) {
  TemporaryDirectory directory;
  const fs::path whole = directory.path() / "whole";
  const fs::path flipped = directory.path() / "flipped";
  SpoolStore store{{whole}};
  append_numbers(store, 1, 2);
  const fs::path log = newest(whole, ".log");
  const auto begin = fs::file_size(log);
  append(store, 3, body_of(3));
  const auto end = fs::file_size(log);
  // Behind it in another of the log's blocks.
  append(store, 4, body_of(4, 70'000));
  append_numbers(store, 5, 6);
  for (auto at = begin; at < end; at += 7) {
    copy_open_store(whole, flipped);
    flip_bit(flipped / log.filename(), at);
    SpoolStore again{{flipped}};
    EXPECT_FALSE(again.recovery().findings.empty()) << at - begin;
    const auto numbers = numbers_in(again);
    EXPECT_THAT(numbers, testing::IsSupersetOf({1, 2, 5, 6})) << at - begin;
    EXPECT_THAT(numbers, testing::Not(testing::Contains(3))) << at - begin;
  }
}

TEST(SpoolStore, LeavesOutWhatIsCorruptInAFileAndKeepsTheRest) {
  TemporaryDirectory directory;
  const fs::path whole = directory.path() / "whole";
  const fs::path flipped = directory.path() / "flipped";
  {
    SpoolStore store{{whole}};
    append_numbers(store, 1, 200);
  }
  {
    SpoolStore{{whole}};
  }  // moves the log into a file
  const fs::path file = newest(whole, ".sst");
  ASSERT_FALSE(file.empty());
  const auto content = test::read_file(file);
  for (const std::uint64_t record : {1, 100, 200}) {
    const auto at = content.find(fmt::format("record {} ", record));
    ASSERT_NE(at, std::string::npos);
    copy_open_store(whole, flipped);
    flip_bit(flipped / file.filename(), at + 50);
    SpoolStore again{{flipped}};
    const auto page = again.read(kOwner, 0, kAll);
    EXPECT_FALSE(page.damage.empty());
    EXPECT_TRUE(page.complete);
    std::vector<bool> found(201);
    for (const auto& each : page.records) {
      EXPECT_EQ(each.body, body_of(each.position.number));
      found[each.position.number] = true;
    }
    EXPECT_FALSE(found[record]);
    // A block of the file is about a hundred such records.
    EXPECT_GT(page.records.size(), 60u);
  }
}

// The keys are looked at before any checksum is.
TEST(SpoolStore, OpensWithKeysThatNoHubWrites) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() / "spool";
  {
    SpoolStore store{{path}};
    append_numbers(store, 1, 3);
  }
  std::vector<std::string> names;
  ASSERT_TRUE(rocksdb::DB::ListColumnFamilies({}, path, &names).ok());
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const std::string& name : names) families.emplace_back(name, rocksdb::ColumnFamilyOptions{});
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* opened = nullptr;
  ASSERT_TRUE(rocksdb::DB::Open({}, path, families, &handles, &opened).ok());
  const std::unique_ptr<rocksdb::DB> db{opened};
  const std::string last_shard = spool_key({kOwner.hub_id, 0xFFFF'FFFF}, 7);
  for (const std::string& key : {std::string{"0"}, std::string{"x"}, last_shard}) {
    ASSERT_TRUE(db->Put({}, handles.at(1), key, "no record").ok());
  }
  for (auto* const handle : handles) db->DestroyColumnFamilyHandle(handle);
  ASSERT_TRUE(db->Close().ok());
  SpoolStore store{{path}};
  EXPECT_THAT(numbers_in(store), ElementsAre(1, 2, 3));
  EXPECT_FALSE(store.read({kOwner.hub_id, 0xFFFF'FFFF}, 0, kAll).damage.empty());
}

TEST(SpoolStore, StaysBelowItsBoundAndHasRoomAgainOnceRecordsAreRemoved) {
  TemporaryDirectory directory;
  constexpr std::uint64_t kBound = std::uint64_t{16} << 20;
  constexpr std::uint64_t kBodyBytes = 600'000;
  SpoolStore store{{directory.path() / "spool", kBound}};
  std::uint64_t written = 0;
  std::uint64_t removed = 0;
  const auto fill = [&] {
    for (;;) {
      const std::string body = body_of(written + 1, kBodyBytes);
      const SpoolStore::Entry entries[] = {{kOwner, {written + 1, written + 1}, body}};
      const auto fault = store.append(entries);
      std::uint64_t on_disk = 0;
      for (const auto& entry : fs::directory_iterator(directory.path() / "spool")) {
        std::error_code gone;
        const auto size = entry.file_size(gone);
        if (!gone) on_disk += size;
      }
      EXPECT_LE(on_disk, kBound);
      if (fault) {
        EXPECT_TRUE(fault->full);
        return;
      }
      ++written;
    }
  };
  fill();
  EXPECT_GT(written * kBodyBytes, kBound / 2);
  for (int round = 0; round < 20; ++round) {
    removed += 8;
    store.remove(kOwner, {removed, removed});
    const auto before = written;
    fill();
    EXPECT_GT(written, before);
  }
  const auto records = numbers_in(store, kOwner, removed);
  ASSERT_EQ(records.size(), written - removed);
  EXPECT_EQ(records.front(), removed + 1);
  store.remove(kOwner, {written, written});
  EXPECT_LT(store.bytes_on_disk(), std::uint64_t{2} << 20);
}

// A file system of its own, as small as given, at the path; for this process only.
bool mount_small(const fs::path& path, std::string_view size) {
  if (::unshare(CLONE_NEWNS) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
  (void)::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
  return ::mount("tmpfs", path.c_str(), "tmpfs", 0, fmt::format("size={}", size).c_str()) == 0;
}

// Fills the store until it refuses, then makes room. Returns what is wrong, if anything is.
std::string fill(const fs::path& path, bool says_full, const std::function<bool()>& make_room) {
  std::uint64_t written = 0;
  const auto append_one = [&](SpoolStore& store) {
    const std::string body = body_of(written + 1, 50'000);
    const SpoolStore::Entry entries[] = {{kOwner, {written + 1, written + 1}, body}};
    return store.append(entries);
  };
  {
    SpoolStore store{{path, std::uint64_t{32} << 20}};
    std::optional<SpoolFault> fault;
    while (!(fault = append_one(store))) ++written;
    if (fault->full != says_full) return "names another reason: " + fault->message;
    if (written < 20) return fmt::format("full after {} records", written);
    if (numbers_in(store).size() != written) return "records cannot be read while it is full";
    // A log may have gone meanwhile, and made room.
    if (!append_one(store)) ++written;
    if (numbers_in(store).size() != written) return "records cannot be read after a further try";
    if (!make_room()) return "no room can be made";
    if ((fault = append_one(store))) return "does not go on: " + fault->message;
    ++written;
    if (numbers_in(store).size() != written) return "records are lost on going on";
  }
  SpoolStore again{{path}};
  return numbers_in(again).size() == written ? "" : "records are lost";
}

// Each in a process of its own.
void exit_with(const std::string& wrong) {
  std::fprintf(stderr, "%s\n", wrong.c_str());
  std::exit(wrong.empty() ? 0 : 1);
}

void fill_a_disk(const fs::path& path) {
  if (!mount_small(path, "12m")) exit_with("no file system of one's own");
  exit_with(fill(path / "spool", true, [&] {
    return ::mount("tmpfs", path.c_str(), "tmpfs", MS_REMOUNT, "size=60m") == 0;
  }));
}

// A write fails in the midst, as on a disk that others fill at the same instant.
void fill_a_file(const fs::path& path) {
  std::signal(SIGXFSZ, SIG_IGN);
  const auto limit_files = [](rlim_t bytes) {
    const rlimit limit{bytes, RLIM_INFINITY};
    return ::setrlimit(RLIMIT_FSIZE, &limit) == 0;
  };
  limit_files(1'500'000);
  exit_with(fill(path / "spool", false, [&] { return limit_files(RLIM_INFINITY); }));
}

TEST(SpoolStore, ARecordOfWhichOnlyTheSyncFailedIsNotThereOnceTheStoreHasGoneOn) {
  const TemporaryDirectory directory;
  SpoolStore store{{directory.path() / "spool"}};
  append_numbers(store, 1, 3);
  const std::string body = body_of(4);
  const SpoolStore::Entry failing[] = {{kOwner, {4, 4}, body}, {kNeighbour, {4, 1}, body}};
  syncs_fail = true;
  EXPECT_TRUE(store.append(failing));
  syncs_fail = false;
  const SpoolStore::Entry next[] = {{kOwner, {5, 4}, body}};
  const auto fault = store.append(next);
  EXPECT_FALSE(fault) << fault->message;
  const auto page = store.read(kOwner, 0, kAll);
  ASSERT_EQ(page.records.size(), 4u);
  EXPECT_EQ(page.records.back().position, (SpoolPosition{5, 4}));
  EXPECT_EQ(store.lanes().size(), 1u);
}

TEST(SpoolStoreDeathTest, AFullDiskIsNamedLosesNothingAndIsLeftBehindOnceThereIsRoom) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const TemporaryDirectory directory;
  EXPECT_EXIT(fill_a_disk(directory.path()), testing::ExitedWithCode(0), "");
}

TEST(SpoolStoreDeathTest, AWriteThatFailsInTheMidstLosesNothingThatWasAppended) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const TemporaryDirectory directory;
  EXPECT_EXIT(fill_a_file(directory.path()), testing::ExitedWithCode(0), "");
}

TEST(SpoolStore, SaysWhatIsWrongWithADirectoryThatItCannotUse) {
  TemporaryDirectory directory;
  directory.write("spool/CURRENT", "nonsense\n");
  try {
    SpoolStore{{directory.path() / "spool"}};
    ADD_FAILURE() << "opened";
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), HasSubstr((directory.path() / "spool").string()));
  }
}

}  // namespace
}  // namespace hub::storage
