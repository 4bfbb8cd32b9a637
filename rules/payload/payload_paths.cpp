#include "rules/payload/payload_paths.h"

#include <array>
#include <cstring>
#include <utility>

namespace hub::rules {
namespace {

// The first 8 bytes of a key as a number, zero-padded. Reads 8 bytes whatever the size.
std::uint64_t prefix_of(std::string_view key) {
  std::uint64_t word;
  std::memcpy(&word, key.data(), sizeof word);
  if (key.size() >= sizeof word) return word;
  return key.empty() ? 0 : word & (~std::uint64_t{0} >> (64 - 8 * key.size()));
}

std::uint32_t bucket(std::uint64_t prefix, std::size_t size) {
  return static_cast<std::uint32_t>(((prefix + size) * 0x9E37'79B9'7F4A'7C15u) >> 40);
}

}  // namespace

PayloadPaths::PayloadPaths() : nodes_(1) {}

std::uint32_t PayloadPaths::add(const Path& path) {
  std::uint32_t slot = kRoot;
  for (const PathStep& step : path) {
    if (step.element != 0) {
      std::uint32_t child = element(slot, step.element);
      if (child == kNone) {
        child = add_child(slot);
        nodes_[slot].elements.push_back({step.element, child});
      }
      slot = child;
      continue;
    }
    std::array<char, 8> short_key{};
    std::string_view key = step.key;
    if (key.size() < short_key.size()) {
      key.copy(short_key.data(), key.size());
      key = {short_key.data(), key.size()};
    }
    std::uint32_t child = member(slot, key);
    if (child == kNone) {
      child = add_child(slot);
      insert(nodes_[slot], Entry{prefix_of(key), child, step.key});
    }
    slot = child;
  }
  return slot;
}

std::uint32_t PayloadPaths::member(std::uint32_t slot, std::string_view key) const {
  const Node& node = nodes_[slot];
  if (node.members == 0) return kNone;
  const std::uint64_t prefix = prefix_of(key);
  for (std::uint32_t i = bucket(prefix, key.size());; ++i) {
    const Entry& entry = node.table[i & node.mask];
    if (entry.child == kNone) return kNone;
    if (entry.prefix == prefix && entry.key.size() == key.size() &&
        (key.size() <= 8 || entry.key == key)) {
      return entry.child;
    }
  }
}

std::uint32_t PayloadPaths::element(std::uint32_t slot, std::uint32_t number) const {
  for (const Element& element : nodes_[slot].elements) {
    if (element.number == number) return element.child;
  }
  return kNone;
}

std::uint32_t PayloadPaths::add_child(std::uint32_t slot) {
  const auto child = static_cast<std::uint32_t>(nodes_.size());
  nodes_.emplace_back();
  nodes_[slot].children.push_back(child);
  return child;
}

void PayloadPaths::insert(Node& node, Entry entry) {
  if ((node.members + 1) * 2 > node.table.size()) {
    std::vector<Entry> old = std::exchange(node.table, {});
    node.table.resize(old.empty() ? 4 : old.size() * 2);
    node.mask = static_cast<std::uint32_t>(node.table.size() - 1);
    node.members = 0;
    for (Entry& moved : old) {
      if (moved.child != kNone) insert(node, std::move(moved));
    }
  }
  std::uint32_t i = bucket(entry.prefix, entry.key.size());
  while (node.table[i & node.mask].child != kNone) ++i;
  node.table[i & node.mask] = std::move(entry);
  ++node.members;
}

}  // namespace hub::rules
