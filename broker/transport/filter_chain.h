#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/transport/filter.h"

namespace hub::broker {

// The filters of one connection, from the socket's side to the connection's, and what is under way
// between the two. No I/O. One thread's at a time.
class FilterChain {
 public:
  // filters: at least one.
  explicit FilterChain(std::vector<std::unique_ptr<Filter>> filters)
      : filters_(std::move(filters)) {}

  // Takes bytes that came from the socket. REQUIRES is_open().
  void receive(std::string_view bytes);
  // Copies what was received, at most `most` bytes of it, and returns how many.
  [[nodiscard]] std::size_t take_received(char* into, std::size_t most);
  [[nodiscard]] bool has_received() const noexcept { return !received_.empty(); }
  [[nodiscard]] bool is_open() const noexcept { return state_ == Filter::State::open; }

  // Whether the user of the chain was told that it is not open any more.
  [[nodiscard]] bool end_is_told() const noexcept { return end_is_told_; }
  void tell_end() noexcept { end_is_told_ = true; }

  // Takes bytes that are to be sent. REQUIRES is_established().
  void send(std::string_view bytes);
  // The end of what is sent. Only the first call has an effect.
  void end();
  // For the socket.
  [[nodiscard]] std::string_view unsent() const noexcept { return unsent_; }
  void remove_unsent(std::size_t bytes);

  [[nodiscard]] bool is_established() const;
  // Why it failed; empty unless it did.
  [[nodiscard]] const std::string& failure() const noexcept { return failure_; }

 private:
  // Through those that stand between filters_[from] and the socket.
  void send_from(std::size_t from, std::string_view bytes);

  std::vector<std::unique_ptr<Filter>> filters_;
  std::string received_;
  std::string unsent_;
  std::string failure_;
  Filter::State state_ = Filter::State::open;
  bool ended_ = false;
  bool end_is_told_ = false;
};

}  // namespace hub::broker
