#include "storage/batch.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "base/topic.h"
#include "storage/instant.h"

namespace hub::storage {
namespace {

// How a message is kept: this, then the bytes of topic, client id, username and payload.
struct KeptHeader {
  MessageId id;
  Timestamp received_at;
  std::uint32_t topic_bytes;
  std::uint32_t client_id_bytes;
  std::uint32_t username_bytes;
  std::uint32_t payload_bytes;
  Qos qos;
  bool retain;
  std::uint8_t unused[6] = {};  // no byte without a value: messages go to the spool as they are
};
static_assert(sizeof(KeptHeader) == 48);

void put_text(ByteBuffer& out, std::string_view text) {
  out.put(static_cast<std::int32_t>(text.size()));
  out.append(text);
}

// Text that PostgreSQL takes for certain: what it would refuse becomes '?'.
void put_any_text(ByteBuffer& out, std::string_view text) {
  if (is_valid_utf8_string(text)) {
    put_text(out, text);
    return;
  }
  std::string safe(text);
  for (char& c : safe) {
    if (c == '\0' || static_cast<unsigned char>(c) >= 0x80) c = '?';
  }
  put_text(out, safe);
}

// At most `limit` bytes, and not a part of a character.
std::string_view cut(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return text;
  while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xC0) == 0x80) --limit;
  return text.substr(0, limit);
}

// 0 when what begins there is no message that keep() has written.
std::size_t first_message_bytes(std::string_view messages) {
  KeptHeader header;
  if (messages.size() < sizeof header) return 0;
  const auto byte_at = [&](std::size_t at) { return static_cast<unsigned char>(messages[at]); };
  if (byte_at(offsetof(KeptHeader, qos)) > static_cast<unsigned char>(Qos::exactly_once) ||
      byte_at(offsetof(KeptHeader, retain)) > 1) {
    return 0;
  }
  std::memcpy(&header, messages.data(), sizeof header);
  const std::uint64_t bytes = sizeof header + std::uint64_t{header.topic_bytes} +
                              header.client_id_bytes + header.username_bytes + header.payload_bytes;
  return bytes > messages.size() ? 0 : bytes;
}

}  // namespace

std::uint32_t KeptMessages::keep(const MessageView& message) {
  if (!starts_.empty()) {
    KeptHeader last;
    std::memcpy(&last, bytes_.data() + starts_.back(), sizeof last);
    if (last.id == message.id && last.received_at == message.received_at) {
      const MessageView kept = view(static_cast<std::uint32_t>(starts_.size() - 1));
      if (kept.topic == message.topic && kept.client_id == message.client_id &&
          kept.payload == message.payload) {
        return static_cast<std::uint32_t>(starts_.size() - 1);
      }
    }
  }
  const KeptHeader header{message.id,
                          message.received_at,
                          static_cast<std::uint32_t>(message.topic.size()),
                          static_cast<std::uint32_t>(message.client_id.size()),
                          static_cast<std::uint32_t>(message.username.size()),
                          static_cast<std::uint32_t>(message.payload.size()),
                          message.qos,
                          message.retain};
  starts_.push_back(bytes_.size());
  bytes_.append({reinterpret_cast<const char*>(&header), sizeof header});
  bytes_.append(message.topic);
  bytes_.append(message.client_id);
  bytes_.append(message.username);
  bytes_.append(message.payload);
  return static_cast<std::uint32_t>(starts_.size() - 1);
}

MessageView KeptMessages::view(std::uint32_t number) const {
  const char* at = bytes_.data() + starts_[number];
  KeptHeader header;
  std::memcpy(&header, at, sizeof header);
  at += sizeof header;
  const auto take = [&at](std::uint32_t bytes) {
    const std::string_view out(at, bytes);
    at += bytes;
    return out;
  };
  MessageView out;
  out.id = header.id;
  out.received_at = header.received_at;
  out.topic = take(header.topic_bytes);
  out.client_id = take(header.client_id_bytes);
  out.username = take(header.username_bytes);
  out.payload = take(header.payload_bytes);
  out.qos = header.qos;
  out.retain = header.retain;
  return out;
}

std::size_t KeptMessages::count_all(std::string_view messages) {
  std::size_t count = 0;
  while (!messages.empty()) {
    const std::size_t bytes = first_message_bytes(messages);
    if (bytes == 0) return 0;
    messages.remove_prefix(bytes);
    ++count;
  }
  return count;
}

bool KeptMessages::add_all(std::string_view messages) {
  if (!messages.empty() && count_all(messages) == 0) return false;
  for (std::size_t at = 0; at < messages.size();) {
    starts_.push_back(bytes_.size() + at);
    at += first_message_bytes(messages.substr(at));
  }
  bytes_.append(messages);
  return true;
}

void KeptMessages::clear() noexcept {
  bytes_.clear();
  starts_.clear();
}

void DeadLetters::add(const Cause& cause, const MessageView& message, std::uint32_t attempts) {
  constexpr std::size_t kDetailBytes = 2000;
  const auto received =
      std::chrono::duration_cast<std::chrono::microseconds>(message.received_at.time_since_epoch());
  ByteBuffer& out = rows_;
  out.put(kFields);
  out.put(std::int32_t{16});
  out.put(message.id.high);
  out.put(message.id.low);
  out.put(std::int32_t{8});
  out.put(std::int64_t{received.count() - kPostgresEpochMs * 1000});
  put_any_text(out, cause.rule);
  put_any_text(out, cause.action);
  put_any_text(out, cause.reason);
  put_any_text(out, cut(cause.detail, kDetailBytes));
  if (cause.sqlstate.empty()) {
    out.put(std::int32_t{-1});
  } else {
    put_any_text(out, cause.sqlstate);
  }
  put_any_text(out, message.topic);
  put_any_text(out, message.client_id);
  if (message.username.empty()) {
    out.put(std::int32_t{-1});
  } else {
    put_any_text(out, message.username);
  }
  out.put(std::int32_t{2});
  out.put(static_cast<std::int16_t>(message.qos));
  out.put(std::int32_t{1});
  out.put(static_cast<std::uint8_t>(message.retain));
  put_text(out, message.payload);
  out.put(std::int32_t{4});
  out.put(static_cast<std::int32_t>(attempts));
  ++count_;
}

void DeadLetters::clear() noexcept {
  rows_.clear();
  count_ = 0;
}

TargetRows& Batch::rows_of(TargetPlan& plan) {
  if (plan.batch_serial == serial) return targets_[plan.batch_slot];
  if (used_ == targets_.size()) targets_.emplace_back();
  plan.batch_serial = serial;
  plan.batch_slot = used_;
  TargetRows& out = targets_[used_++];
  out.plan = &plan;
  return out;
}

void Batch::clear(std::uint64_t new_serial) {
  constexpr std::size_t kTargetsKept = 64;
  for (TargetRows& target : targets()) {
    target.plan = nullptr;
    target.rows.clear();
    target.messages.clear();
    target.outcome = {};
    target.fault = {};
  }
  if (targets_.size() > kTargetsKept) targets_.resize(kTargetsKept);
  used_ = 0;
  rows_ = 0;
  row_bytes_ = 0;
  serial = new_serial;
  messages.clear();
  dead_letters.clear();
  session_changes.clear();
  ledger.clear();
  wanted = false;
  failed_by_rule.clear();
  tokens.clear();
  held_bytes = 0;
  spooled.reset();
  number = 0;
  number_is_final = false;
  attempts = 0;
  search_rows = false;
  lone_failures = 0;
  forget_refused();
}

void Batch::note_refused(const RowTarget& target, std::uint32_t message) {
  const Receipt receipt(target.rule, messages.view(message).id);
  if (refused_receipts_.empty()) std::sort(failed_by_rule.begin(), failed_by_rule.end());
  if (!refused_receipts_.insert(receipt).second) return;
  if (std::binary_search(failed_by_rule.begin(), failed_by_rule.end(), receipt)) return;
  refused_messages.push_back({&target, message});
}

void Batch::forget_refused() {
  refused.clear();
  refused_rows = 0;
  unusable_rows = 0;
  refused_messages.clear();
  refused_receipts_.clear();
}

}  // namespace hub::storage
