#pragma once

#include <random>
#include <string>

namespace hub::broker {

// Topic names and filters from so few levels that they often meet, with the awkward ones: empty,
// '$', and bytes that sort around '/'.
class RandomTopics {
 public:
  explicit RandomTopics(std::mt19937& random) : random_(random) {}

  std::string name() {
    std::string topic = level(true);
    for (unsigned more = random_() % 4; more > 0; --more) topic += '/' + level(false);
    return topic.empty() ? "a" : topic;
  }

  std::string filter() {
    std::string out;
    for (unsigned levels = 1 + random_() % 4; levels > 0; --levels) {
      const unsigned kind = random_() % 8;
      if (kind == 0 && levels == 1) {
        out += '#';
      } else if (kind < 3) {
        out += '+';
      } else {
        out += level(out.empty());
      }
      if (levels > 1) out += '/';
    }
    return out.empty() ? "b" : out;
  }

 private:
  std::string level(bool first) {
    static constexpr const char* kLevels[] = {"a", "b", "a!", "a0", "", "ab", "."};
    if (first && random_() % 8 == 0) return "$S";
    return kLevels[random_() % std::size(kLevels)];
  }

  std::mt19937& random_;
};

}  // namespace hub::broker
