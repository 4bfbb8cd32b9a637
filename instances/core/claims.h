#pragma once

#include <algorithm>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace hub::instances {

// Which resources a thread of this process is at work on: one thread at a time on each.
class Claims {
 public:
  // Holds a resource until it is destroyed.
  class Claim {
   public:
    Claim() = default;
    Claim(Claims& claims, std::string id) : claims_(&claims), id_(std::move(id)) {}
    Claim(Claim&& other) noexcept
        : claims_(std::exchange(other.claims_, nullptr)), id_(std::move(other.id_)) {}
    Claim& operator=(Claim&& other) noexcept {
      std::swap(claims_, other.claims_);
      std::swap(id_, other.id_);
      return *this;
    }
    ~Claim() {
      if (claims_) claims_->release(id_);
    }
    explicit operator bool() const { return claims_ != nullptr; }

   private:
    Claims* claims_ = nullptr;
    std::string id_;
  };

  // An empty claim when another thread holds the resource.
  [[nodiscard]] Claim try_claim(const std::string& id) {
    const std::lock_guard lock{mutex_};
    if (std::find(held_.begin(), held_.end(), id) != held_.end()) return {};
    held_.push_back(id);
    return {*this, id};
  }

  [[nodiscard]] std::vector<std::string> held() const {
    const std::lock_guard lock{mutex_};
    return held_;
  }

 private:
  void release(const std::string& id) {
    const std::lock_guard lock{mutex_};
    std::erase(held_, id);
  }

  mutable std::mutex mutex_;
  std::vector<std::string> held_;  // guarded by mutex_
};

}  // namespace hub::instances
