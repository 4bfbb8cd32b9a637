#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hub::rules {

// One step of payload.a.b[1]: into a member, or into an element (counted from 1, as EMQX does).
struct PathStep {
  std::string key;
  std::uint32_t element = 0;  // 0: the step is a member

  friend bool operator==(const PathStep&, const PathStep&) = default;
};
using Path = std::vector<PathStep>;

// The places of a payload that a rule set reads, as a tree: JsonScanner walks it beside the text,
// so that one pass finds them all. Built while rules are compiled, then constant.
class PayloadPaths {
 public:
  static constexpr std::uint32_t kRoot = 0;  // the whole payload
  static constexpr std::uint32_t kNone = UINT32_MAX;

  PayloadPaths();

  // The slot in which JsonScanner leaves the value at `path`.
  std::uint32_t add(const Path& path);
  [[nodiscard]] std::size_t slots() const { return nodes_.size(); }

  // The child of `slot` for a member or an element, or kNone. At least 8 bytes are readable from
  // key.data(), however short the key is.
  [[nodiscard]] std::uint32_t member(std::uint32_t slot, std::string_view key) const;
  [[nodiscard]] std::uint32_t element(std::uint32_t slot, std::uint32_t number) const;
  [[nodiscard]] bool has_members(std::uint32_t slot) const { return nodes_[slot].members != 0; }
  [[nodiscard]] bool has_elements(std::uint32_t slot) const {
    return !nodes_[slot].elements.empty();
  }
  [[nodiscard]] const std::vector<std::uint32_t>& children(std::uint32_t slot) const {
    return nodes_[slot].children;
  }

 private:
  struct Entry {
    std::uint64_t prefix = 0;  // the key's first 8 bytes, zero-padded
    std::uint32_t child = kNone;
    std::string key;
  };
  struct Element {
    std::uint32_t number;
    std::uint32_t child;
  };
  struct Node {
    std::uint32_t members = 0;
    std::uint32_t mask = 0;
    std::vector<Entry> table;  // open addressing, at most half full
    std::vector<Element> elements;
    std::vector<std::uint32_t> children;
  };

  std::uint32_t add_child(std::uint32_t slot);
  void insert(Node& node, Entry entry);

  std::vector<Node> nodes_;
};

}  // namespace hub::rules
