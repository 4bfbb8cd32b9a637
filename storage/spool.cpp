#include "storage/spool.h"

#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

namespace hub::storage {
namespace {

struct Append {
  SpoolOwner owner;
  SpoolPosition position;
  std::string body;
  std::function<void(std::optional<SpoolFault>)> done;
};
struct Read {
  SpoolOwner owner;
  std::uint64_t after = 0;
  std::size_t max_bytes = 0;
  std::function<void(SpoolStore::Page)> done;
};
struct Remove {
  SpoolOwner owner;
  SpoolPosition up_to;
};

// What has been asked for.
struct Work {
  std::vector<Append> appends;
  std::vector<Read> reads;
  std::vector<Remove> removals;

  [[nodiscard]] bool empty() const { return appends.empty() && reads.empty() && removals.empty(); }
};

}  // namespace

class Spool::Impl {
 public:
  explicit Impl(SpoolOptions options)
      : store_(options), recovery_(store_.recovery()), lanes_(store_.lanes()) {
    status_.bytes_on_disk = store_.bytes_on_disk();
    status_.size_bytes = options.size_bytes;
    thread_ = std::thread([this] { run(); });
  }
  ~Impl() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    asked_.notify_one();
    thread_.join();
  }

  // Calls add(Work&).
  template <class F>
  void ask(F add) {
    {
      const std::lock_guard lock(mutex_);
      add(work_);
    }
    asked_.notify_one();
  }
  [[nodiscard]] SpoolStatus status() const {
    const std::lock_guard lock(mutex_);
    return status_;
  }
  [[nodiscard]] const SpoolRecovery& recovery() const { return recovery_; }
  [[nodiscard]] const std::vector<SpoolStore::Lane>& lanes() const { return lanes_; }

 private:
  void run() {
    for (;;) {
      Work work;
      {
        std::unique_lock lock(mutex_);
        asked_.wait(lock, [this] { return ending_ || !work_.empty(); });
        if (work_.empty()) return;
        std::swap(work, work_);
      }
      for (const Remove& removal : work.removals) store_.remove(removal.owner, removal.up_to);
      if (!work.appends.empty()) append(work.appends);
      for (Read& read : work.reads) {
        read.done(store_.read(read.owner, read.after, read.max_bytes));
      }
      const std::lock_guard lock(mutex_);
      status_.bytes_on_disk = store_.bytes_on_disk();
    }
  }

  void append(std::vector<Append>& appends) {
    std::vector<SpoolStore::Entry> entries;
    for (const Append& each : appends) entries.push_back({each.owner, each.position, each.body});
    const auto fault = store_.append(entries);
    {
      const std::lock_guard lock(mutex_);
      status_.fault = fault;
      if (!fault) {
        ++status_.syncs;
        status_.records += entries.size();
      }
    }
    for (Append& each : appends) each.done(fault);
  }

  SpoolStore store_;  // the thread's, once that runs
  const SpoolRecovery recovery_;
  const std::vector<SpoolStore::Lane> lanes_;
  mutable std::mutex mutex_;
  std::condition_variable asked_;
  Work work_;            // guarded by mutex_
  SpoolStatus status_;   // guarded by mutex_
  bool ending_ = false;  // guarded by mutex_
  std::thread thread_;
};

Spool::Spool(SpoolOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Spool::~Spool() = default;

const SpoolRecovery& Spool::recovery() const noexcept { return impl_->recovery(); }
const std::vector<SpoolStore::Lane>& Spool::lanes() const noexcept { return impl_->lanes(); }

void Spool::append(SpoolOwner owner, SpoolPosition position, std::string body,
                   std::function<void(std::optional<SpoolFault>)> done) {
  impl_->ask([&](Work& work) {
    work.appends.push_back({std::move(owner), position, std::move(body), std::move(done)});
  });
}

void Spool::read(SpoolOwner owner, std::uint64_t after, std::size_t max_bytes,
                 std::function<void(SpoolStore::Page)> done) {
  impl_->ask([&](Work& work) {
    work.reads.push_back({std::move(owner), after, max_bytes, std::move(done)});
  });
}

void Spool::remove(SpoolOwner owner, SpoolPosition up_to) {
  impl_->ask([&](Work& work) { work.removals.push_back({std::move(owner), up_to}); });
}

SpoolStatus Spool::status() const { return impl_->status(); }

}  // namespace hub::storage
