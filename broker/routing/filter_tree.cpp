#include "broker/routing/filter_tree.h"

#include "broker/routing/topic_levels.h"

namespace hub::broker {

FilterTree::FilterTree(std::uint64_t seed) : root_(make_node(nullptr, {})), nodes_(0, Hash{seed}) {}

FilterTree::NodePtr FilterTree::make_node(Node* parent, std::string_view level) {
  void* const memory = ::operator new(sizeof(Node) + level.size());
  NodePtr node{new (memory)
                   Node{.parent = parent, .level_bytes = static_cast<std::uint16_t>(level.size())}};
  level.copy(reinterpret_cast<char*>(node.get() + 1), level.size());
  return node;
}

FilterTree::Node* FilterTree::child(const Node* parent, std::string_view level) const {
  const auto found = nodes_.find(Key{parent, level});
  return found == nodes_.end() ? nullptr : found->get();
}

FilterTree::Node* FilterTree::child_or_new(Node* parent, std::string_view level) {
  if (Node* const existing = child(parent, level)) return existing;
  Node* const made = nodes_.insert(make_node(parent, level)).first->get();
  if (level == "+") parent->plus = made;
  ++parent->children;
  return made;
}

void FilterTree::link(const RoutedFilter& filter) {
  Node* node = root_.get();
  for (TopicLevels levels{filter.text()}; !levels.done();) {
    const std::string_view level = levels.next();
    if (level == "#") {
      node->below = &filter;
      return;
    }
    node = child_or_new(node, level);
  }
  node->here = &filter;
}

void FilterTree::unlink(std::string_view text) {
  Node* node = root_.get();
  for (TopicLevels levels{text}; !levels.done();) {
    const std::string_view level = levels.next();
    if (level == "#") {
      node->below = nullptr;
      return prune(node);
    }
    node = child(node, level);
  }
  node->here = nullptr;
  prune(node);
}

// Removes the node, and then its parents, as long as no filter needs them.
void FilterTree::prune(Node* node) {
  while (node != root_.get() && node->children == 0 && !node->here && !node->below) {
    Node* const parent = node->parent;
    if (parent->plus == node) parent->plus = nullptr;
    --parent->children;
    nodes_.erase(nodes_.find(Key{parent, node->level()}));
    node = parent;
  }
}

void FilterTree::match(std::string_view topic, std::vector<const RoutedFilter*>& out) {
  // A topic that begins with '$' is not for filters that begin with a wildcard [MQTT-4.7.2-1].
  bool wildcards = !topic.starts_with('$');
  frontier_.assign(1, root_.get());
  for (TopicLevels levels{topic}; !levels.done() && !frontier_.empty();) {
    const std::string_view level = levels.next();
    next_frontier_.clear();
    for (const Node* const node : frontier_) {
      if (node->below != nullptr && wildcards) out.push_back(node->below);
      if (node->plus != nullptr && wildcards) next_frontier_.push_back(node->plus);
      const std::uint32_t literal_children = node->children - (node->plus != nullptr ? 1 : 0);
      if (literal_children == 0) continue;
      if (const Node* const next = child(node, level)) next_frontier_.push_back(next);
    }
    wildcards = true;
    frontier_.swap(next_frontier_);
  }
  for (const Node* const node : frontier_) {
    if (node->here != nullptr) out.push_back(node->here);
    if (node->below != nullptr) out.push_back(node->below);  // "a/#" matches "a"
  }
}

}  // namespace hub::broker
