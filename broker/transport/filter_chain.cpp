#include "broker/transport/filter_chain.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace hub::broker {

void FilterChain::receive(std::string_view bytes) {
  std::string input;
  for (std::size_t i = 0; i < filters_.size() && !bytes.empty(); ++i) {
    const bool is_last = i + 1 == filters_.size();
    std::string between;
    std::string answer;
    const Filter::State state = filters_[i]->receive(bytes, is_last ? received_ : between, answer);
    if (!answer.empty()) send_from(i, answer);
    if (state == Filter::State::failed) failure_ = filters_[i]->failure();
    // What came before the end is still for those behind.
    if (state != Filter::State::open) state_ = state;
    input = std::move(between);
    bytes = input;
  }
  if (state_ == Filter::State::ended) end();  // and so says each to its own other end
}

std::size_t FilterChain::take_received(char* into, std::size_t most) {
  const std::size_t taken = std::min(most, received_.size());
  std::memcpy(into, received_.data(), taken);
  if (taken == received_.size()) {
    received_ = {};  // an idle connection holds no buffer
  } else {
    received_.erase(0, taken);
  }
  return taken;
}

void FilterChain::send(std::string_view bytes) { send_from(filters_.size(), bytes); }

void FilterChain::send_from(std::size_t from, std::string_view bytes) {
  std::string carried;
  for (std::size_t i = from; i-- > 1;) {
    std::string out;
    filters_[i]->send(bytes, out);
    carried = std::move(out);
    bytes = carried;
  }
  if (from > 0) {
    filters_[0]->send(bytes, unsent_);
  } else {
    unsent_ += bytes;
  }
}

void FilterChain::end() {
  if (std::exchange(ended_, true)) return;
  for (std::size_t i = filters_.size(); i-- > 0;) {
    if (!filters_[i]->is_established()) continue;
    std::string last;
    filters_[i]->end(last);
    if (!last.empty()) send_from(i, last);
  }
}

void FilterChain::remove_unsent(std::size_t bytes) {
  if (bytes == unsent_.size()) {
    unsent_ = {};
  } else {
    unsent_.erase(0, bytes);
  }
}

bool FilterChain::is_established() const {
  return std::all_of(filters_.begin(), filters_.end(),
                     [](const auto& filter) { return filter->is_established(); });
}

}  // namespace hub::broker
