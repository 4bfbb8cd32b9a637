#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace hub::broker {

namespace detail {

// What to do at one topic of a list in byte order, looking for those that match a filter.
enum class RetainedStep : std::uint8_t {
  match,
  next,  // no match; the next topic may be one
  seek,  // no match before the first topic that is not less than `seek_to`
  stop,  // no match from here on
};
// filter, topic: valid. seek_to is written only for seek, and then sorts after topic.
[[nodiscard]] RetainedStep step_at(std::string_view filter, std::string_view topic,
                                   std::string& seek_to);

// The first topic, in byte order, that the filter could match.
[[nodiscard]] std::string_view first_candidate(std::string_view filter);

}  // namespace detail

// The retained messages of one shard's topics (MQTT 5.0 section 3.3.1.3), bounded by their number
// and their bytes. Ref is a shared
// pointer to the message; the store does not look inside. What has
// expired is the caller's to leave out and to erase.
//
// Topics are kept in byte order. A match goes through the topics that begin like the filter up to
// its first wildcard, and jumps over whole subtrees that cannot match, so that its cost grows with
// the values that '+' takes there and the messages found, times the logarithm of the count.
template <class Ref>
class RetainedStore {
 public:
  struct Limits {
    std::size_t messages;
    std::size_t bytes;
  };
  enum class Outcome : std::uint8_t {
    stored,
    replaced,
    too_many_messages,  // refused, and nothing changed: the old message of the topic is still there
    too_many_bytes,     // likewise
  };

  explicit RetainedStore(Limits limits) : limits_(limits) {}

  // topic: a valid topic name. message: not null. bytes: what it counts against the limit,
  // to which the topic's own are added.
  [[nodiscard]] Outcome set(std::string_view topic, Ref message, std::size_t bytes) {
    const std::size_t cost = bytes + topic.size();
    const auto found = messages_.find(topic);
    const std::size_t before = found == messages_.end() ? 0 : found->second.cost;
    if (found == messages_.end() && messages_.size() >= limits_.messages) {
      return Outcome::too_many_messages;
    }
    if (cost > limits_.bytes || bytes_ - before > limits_.bytes - cost) {
      return Outcome::too_many_bytes;
    }
    bytes_ += cost - before;
    if (found != messages_.end()) {
      found->second = {std::move(message), cost};
      return Outcome::replaced;
    }
    messages_.emplace(topic, Retained{std::move(message), cost});
    return Outcome::stored;
  }

  // Says whether there was one.
  bool erase(std::string_view topic) {
    const auto found = messages_.find(topic);
    if (found == messages_.end()) return false;
    bytes_ -= found->second.cost;
    messages_.erase(found);
    return true;
  }

  // Erases each for which pred(topic, message) holds; says how many.
  template <class Predicate>
  std::size_t erase_if(Predicate&& pred) {
    return std::erase_if(messages_, [&](const auto& entry) {
      if (!pred(std::string_view{entry.first}, *entry.second.message)) return false;
      bytes_ -= entry.second.cost;
      return true;
    });
  }

  // Null when there is none.
  [[nodiscard]] Ref find(std::string_view topic) const {
    const auto found = messages_.find(topic);
    return found == messages_.end() ? nullptr : found->second.message;
  }

  // Calls visit(std::string_view topic, const Ref&) for each that matches a
  // valid filter, in the topics' byte order. visit must not change the store.
  template <class Visit>
  void match(std::string_view filter, Visit&& visit) const {
    std::string seek_to;
    auto at = messages_.lower_bound(detail::first_candidate(filter));
    while (at != messages_.end()) {
      switch (detail::step_at(filter, at->first, seek_to)) {
        case detail::RetainedStep::match:
          visit(std::string_view{at->first}, at->second.message);
          ++at;
          break;
        case detail::RetainedStep::next:
          ++at;
          break;
        case detail::RetainedStep::seek:
          at = messages_.lower_bound(seek_to);
          break;
        case detail::RetainedStep::stop:
          return;
      }
    }
  }

  [[nodiscard]] std::size_t size() const { return messages_.size(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  struct Retained {
    Ref message;
    std::size_t cost;
  };

  Limits limits_;
  std::size_t bytes_ = 0;
  std::map<std::string, Retained, std::less<>> messages_;
};

}  // namespace hub::broker
