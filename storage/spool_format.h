#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/spool_store.h"

namespace hub::storage {

// The bytes of the spool: of a record's key, and of what is stored under it.

// hub id, a zero, shard, number: an owner's keys are in the order of their numbers.
[[nodiscard]] std::string spool_key(const SpoolOwner& owner);
[[nodiscard]] std::string spool_key(const SpoolOwner& owner, std::uint64_t number);
// Behind all of the owner's, and before the next one's.
[[nodiscard]] std::string spool_key_behind(const SpoolOwner& owner);

// Nothing when it is no key with so many bytes behind the shard.
[[nodiscard]] std::optional<SpoolOwner> spool_key_owner(std::string_view key,
                                                        std::size_t behind_bytes);
[[nodiscard]] std::uint64_t spool_key_number(std::string_view key);

// A record is stored as this, in network byte order, and then its body:
//   u32 format  u64 hash of all that follows and of the key  u64 sequence
constexpr std::size_t kSpoolHeaderBytes = 4 + 8 + 8;
[[nodiscard]] std::string spool_value(std::string_view key, std::uint64_t sequence,
                                      std::string_view body);
// Nothing when the value is not what was stored.
[[nodiscard]] std::optional<std::uint64_t> spool_value_sequence(std::string_view key,
                                                                std::string_view value);

// What an owner has removed is stored as these two numbers.
constexpr std::size_t kSpoolMarkBytes = 16;
[[nodiscard]] std::string spool_mark(const SpoolPosition& removed);
// Nothing when it is none.
[[nodiscard]] std::optional<SpoolPosition> spool_mark_position(std::string_view mark);

}  // namespace hub::storage
