#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace hub::instances {

// A mutex per name: what concerns one object waits for what else concerns it, and for nothing more.
class KeyedLocks {
 public:
  // Held until it is destroyed.
  class Held {
   public:
    explicit Held(std::shared_ptr<std::mutex> mutex) : mutex_(std::move(mutex)), lock_(*mutex_) {}

   private:
    std::shared_ptr<std::mutex> mutex_;
    std::unique_lock<std::mutex> lock_;
  };

  [[nodiscard]] Held lock(const std::string& name) {
    std::shared_ptr<std::mutex> mutex;
    {
      const std::lock_guard guard(mutex_);
      std::erase_if(mutexes_, [](const auto& entry) { return entry.second.expired(); });
      auto& known = mutexes_[name];
      mutex = known.lock();
      if (!mutex) known = mutex = std::make_shared<std::mutex>();
    }
    return Held(std::move(mutex));
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<std::mutex>> mutexes_;
};

}  // namespace hub::instances
