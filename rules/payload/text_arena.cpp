#include "rules/payload/text_arena.h"

#include <algorithm>

#include "base/message.h"

namespace hub::rules {

std::string_view TextArena::Builder::finish() {
  const std::string_view done = text();
  if (begin_ != nullptr) {
    const Block& block = arena_.blocks_[arena_.current_];
    arena_.used_ = static_cast<std::size_t>(end_ - block.bytes.get()) + kPayloadPadding;
  } else {
    static constexpr char kEmpty[kPayloadPadding] = {};
    return {kEmpty, 0};
  }
  begin_ = end_ = limit_ = nullptr;
  return done;
}

char* TextArena::Builder::room(std::size_t bytes) {
  if (begin_ != nullptr && static_cast<std::size_t>(limit_ - end_) >= bytes) return end_;
  const auto have = static_cast<std::size_t>(end_ - begin_);
  char* limit = nullptr;
  char* const begin = arena_.reserve(have + bytes, limit);
  if (begin == nullptr) {
    arena_.overflowed_ = true;
    return nullptr;
  }
  if (begin != begin_ && have > 0) std::copy_n(begin_, have, begin);
  begin_ = begin;
  end_ = begin + have;
  limit_ = limit;
  return end_;
}

void TextArena::Builder::append_slow(std::string_view text) {
  char* const to = room(text.size());
  if (to != nullptr) end_ = std::copy_n(text.data(), text.size(), to);
}

char* TextArena::reserve(std::size_t bytes, char*& limit) {
  const auto room_in = [&](std::size_t block, std::size_t used) -> char* {
    if (blocks_[block].size < used + bytes + kPayloadPadding) return nullptr;
    current_ = block;
    used_ = used;
    limit = blocks_[block].bytes.get() + blocks_[block].size - kPayloadPadding;
    return blocks_[block].bytes.get() + used;
  };
  if (current_ < blocks_.size()) {
    if (char* room = room_in(current_, used_)) return room;
    for (std::size_t next = current_ + 1; next < blocks_.size(); ++next) {
      if (char* room = room_in(next, 0)) return room;
    }
  }
  const std::size_t size =
      std::max({kFirstBlock, 2 * (bytes + kPayloadPadding), std::min(total_, kMaxBytes / 8)});
  if (bytes > kMaxBytes || total_ + size > 2 * kMaxBytes) return nullptr;
  blocks_.push_back({std::make_unique_for_overwrite<char[]>(size), size});
  total_ += size;
  // The padding may be read before anything is written there.
  std::fill_n(blocks_.back().bytes.get() + size - kPayloadPadding, kPayloadPadding, '\0');
  return room_in(blocks_.size() - 1, 0);
}

void TextArena::reset() {
  while (total_ > kKeptBytes && blocks_.size() > 1) {
    total_ -= blocks_.back().size;
    blocks_.pop_back();
  }
  if (total_ > kKeptBytes) {
    blocks_.clear();
    total_ = 0;
  }
  current_ = 0;
  used_ = 0;
  overflowed_ = false;
}

}  // namespace hub::rules
