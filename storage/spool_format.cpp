#include "storage/spool_format.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstring>
#include <limits>

#include "storage/byte_buffer.h"

namespace hub::storage {
namespace {

constexpr std::uint32_t kFormat = 0x49485301;  // "IHS", 1

std::uint64_t load64(const char* from) {
  std::uint64_t value;
  std::memcpy(&value, from, sizeof value);
  return __builtin_bswap64(value);
}
std::uint32_t load32(const char* from) {
  return static_cast<std::uint32_t>(ByteBuffer::load_int32(from));
}

std::uint64_t hash_of(std::string_view key, std::string_view behind_hash) {
  return XXH3_64bits_withSeed(behind_hash.data(), behind_hash.size(),
                              XXH3_64bits(key.data(), key.size()));
}

}  // namespace

std::string spool_key(const SpoolOwner& owner) {
  std::string key = owner.hub_id;
  key.push_back('\0');
  char shard[4];
  ByteBuffer::store(shard, owner.shard);
  return key.append(shard, sizeof shard);
}

std::string spool_key(const SpoolOwner& owner, std::uint64_t number) {
  std::string key = spool_key(owner);
  char bytes[8];
  ByteBuffer::store(bytes, number);
  return key.append(bytes, sizeof bytes);
}

std::string spool_key_behind(const SpoolOwner& owner) {
  if (owner.shard == std::numeric_limits<std::uint32_t>::max()) return owner.hub_id + '\1';
  return spool_key({owner.hub_id, owner.shard + 1});
}

std::optional<SpoolOwner> spool_key_owner(std::string_view key, std::size_t behind_bytes) {
  if (key.size() < 5 + behind_bytes) return std::nullopt;
  const std::size_t id_bytes = key.size() - behind_bytes - 5;
  if (key[id_bytes] != '\0') return std::nullopt;
  return SpoolOwner{std::string(key.substr(0, id_bytes)), load32(key.data() + id_bytes + 1)};
}

std::uint64_t spool_key_number(std::string_view key) { return load64(key.data() + key.size() - 8); }

std::string spool_value(std::string_view key, std::uint64_t sequence, std::string_view body) {
  ByteBuffer head;
  head.put(kFormat);
  head.put(std::uint64_t{0});
  head.put(sequence);
  std::string out;
  out.reserve(kSpoolHeaderBytes + body.size());
  out.append(head.view()).append(body);
  ByteBuffer::store(out.data() + 4, hash_of(key, std::string_view(out).substr(12)));
  return out;
}

std::optional<std::uint64_t> spool_value_sequence(std::string_view key, std::string_view value) {
  if (value.size() < kSpoolHeaderBytes || load32(value.data()) != kFormat) return std::nullopt;
  if (load64(value.data() + 4) != hash_of(key, value.substr(12))) return std::nullopt;
  return load64(value.data() + 12);
}

std::string spool_mark(const SpoolPosition& removed) {
  std::string out(kSpoolMarkBytes, '\0');
  ByteBuffer::store(out.data(), removed.number);
  ByteBuffer::store(out.data() + 8, removed.sequence);
  return out;
}

std::optional<SpoolPosition> spool_mark_position(std::string_view mark) {
  if (mark.size() != kSpoolMarkBytes) return std::nullopt;
  return SpoolPosition{load64(mark.data()), load64(mark.data() + 8)};
}

}  // namespace hub::storage
