#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <cassert>
#include <thread>
#include <utility>

namespace hub {

// A shard is one thread that runs one io_context; what it owns is touched by that thread alone.
class ShardOwned {
 public:
  ShardOwned(const ShardOwned&) = delete;
  ShardOwned& operator=(const ShardOwned&) = delete;

 protected:
  ShardOwned() = default;  // made, used and destroyed on the one thread
  ~ShardOwned() { assert_home(); }
  void assert_home() const { assert(std::this_thread::get_id() == home_); }

 private:
  std::thread::id home_ = std::this_thread::get_id();
};

// The only way in from elsewhere: copyable to any thread, and it never yields a T&.
// Calls that are posted from one thread run in the order in which they were posted.
template <class T>
class OnShard {
 public:
  OnShard(boost::asio::io_context& home, T& target) : home_(&home), target_(&target) {}

  // Queues f(T&) on the owning shard and returns at once.
  // The target must outlive the queue: a shard destroys its objects after its io_context is done.
  template <std::invocable<T&> F>
  void post(F f) const {
    boost::asio::post(*home_, [target = target_, f = std::move(f)]() mutable { f(*target); });
  }

 private:
  boost::asio::io_context* home_;
  T* target_;
};

}  // namespace hub
