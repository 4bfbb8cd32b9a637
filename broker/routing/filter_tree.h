#pragma once

#include <boost/unordered/unordered_flat_set.hpp>
#include <cstdint>
#include <memory>
#include <new>
#include <string_view>
#include <vector>

#include "base/text_hash.h"
#include "broker/routing/routed_filter.h"

namespace hub::broker {

// The filters that have wildcards, as a tree of their levels; match() walks it one level at a time
// over all branches that are still possible. Neither matching nor destruction recurses, as a peer
// chooses the depth. Does not own the filters.
class FilterTree {
 public:
  // seed: for the hash of levels, unknown to the peers.
  explicit FilterTree(std::uint64_t seed);
  FilterTree(const FilterTree&) = delete;
  FilterTree& operator=(const FilterTree&) = delete;

  // Requires a filter with a wildcard whose text is not there yet.
  void link(const RoutedFilter& filter);
  // Requires the text of a filter that is there.
  void unlink(std::string_view text);

  // Appends the filters that match; topic: a valid topic name.
  void match(std::string_view topic, std::vector<const RoutedFilter*>& out);

 private:
  // A prefix of filters. The text of its last level follows the object.
  struct Node {
    Node* parent;
    Node* plus = nullptr;                 // the child that is '+'
    const RoutedFilter* here = nullptr;   // the filter that ends with this level
    const RoutedFilter* below = nullptr;  // the filter that goes on with '#'
    std::uint32_t children = 0;           // '+' too
    std::uint16_t level_bytes;

    [[nodiscard]] std::string_view level() const {
      return {reinterpret_cast<const char*>(this + 1), level_bytes};
    }
  };
  struct Delete {
    void operator()(Node* node) const { ::operator delete(node); }
  };
  using NodePtr = std::unique_ptr<Node, Delete>;

  struct Key {
    const Node* parent;
    std::string_view level;
    bool operator==(const Key&) const = default;
  };
  static Key key(const Key& key) { return key; }
  static Key key(const NodePtr& node) { return {node->parent, node->level()}; }

  struct Hash {
    using is_transparent = void;
    using is_avalanching = void;
    std::uint64_t seed;
    std::size_t operator()(const auto& of) const {
      const Key k = key(of);
      return hash_text(k.level, seed ^ reinterpret_cast<std::uintptr_t>(k.parent));
    }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const auto& a, const auto& b) const { return key(a) == key(b); }
  };

  static NodePtr make_node(Node* parent, std::string_view level);
  [[nodiscard]] Node* child(const Node* parent, std::string_view level) const;
  Node* child_or_new(Node* parent, std::string_view level);
  void prune(Node* node);

  NodePtr root_;
  boost::unordered_flat_set<NodePtr, Hash, Equal> nodes_;  // all but the root
  std::vector<const Node*> frontier_;                      // match() walks with these two
  std::vector<const Node*> next_frontier_;
};

}  // namespace hub::broker
