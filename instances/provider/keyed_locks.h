#pragma once

#include <map>
#include <mutex>
#include <string>

namespace hub::instances {

// A mutex per name: what concerns one object waits for what else concerns it, and for nothing more.
class KeyedLocks {
  struct Entry {
    std::mutex mutex;
    int users = 0;  // who holds it or waits for it
  };
  using Entries = std::map<std::string, Entry>;

 public:
  // Held until it is destroyed.
  class Held {
   public:
    Held(KeyedLocks& locks, Entries::iterator entry) : locks_(locks), entry_(entry) {
      entry_->second.mutex.lock();
    }
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    ~Held() {
      entry_->second.mutex.unlock();
      const std::lock_guard guard(locks_.mutex_);
      if (--entry_->second.users == 0) locks_.entries_.erase(entry_);
    }

   private:
    KeyedLocks& locks_;
    Entries::iterator entry_;
  };

  [[nodiscard]] Held lock(const std::string& name) {
    Entries::iterator entry;
    {
      const std::lock_guard guard(mutex_);
      entry = entries_.try_emplace(name).first;
      ++entry->second.users;
    }
    return {*this, entry};
  }

 private:
  std::mutex mutex_;
  Entries entries_;
};

}  // namespace hub::instances
