#include "broker/transport/connection.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "base/message.h"

namespace hub::broker {
namespace {

// A partial packet of this size is received where it is kept; below, it is copied to the shared
// buffer.
constexpr std::size_t kReceiveInPlaceBytes = 64 * 1024;

bool is_within(std::string_view part, const std::string& whole) {
  return !std::less<>{}(part.data(), whole.data()) &&
         !std::less<>{}(whole.data() + whole.size(), part.data() + part.size());
}

}  // namespace

ReadBuffer::ReadBuffer()
    : bytes_(std::make_unique_for_overwrite<char[]>(kBytes + kPayloadPadding)) {}

Connection::Input Connection::read(ReadBuffer& buffer, std::size_t most) {
  const std::size_t have = unread_bytes();
  const bool in_place = have >= kReceiveInPlaceBytes;
  most = std::min(most, in_place ? kReceiveInPlaceBytes : ReadBuffer::kBytes - have);
  if (in_place) {
    unread_->resize(have + most + kPayloadPadding);
  } else if (have > 0) {
    std::memcpy(buffer.data(), unread_->data(), have);
  }
  char* const bytes = in_place ? unread_->data() : buffer.data();
  const Transport::Transfer got = transport_.read(bytes + have, most);
  if (got.result != Transport::Result::done) {
    if (in_place) unread_->resize(have);
    return {got.result};
  }
  return {got.result, {bytes, have + got.bytes}};
}

Connection::Input Connection::unread(ReadBuffer& buffer) {
  const std::size_t have = unread_bytes();
  if (have == 0) return {};
  if (have <= ReadBuffer::kBytes) {
    std::memcpy(buffer.data(), unread_->data(), have);
    return {Transport::Result::done, {buffer.data(), have}};
  }
  unread_->resize(have + kPayloadPadding);
  return {Transport::Result::done, {unread_->data(), have}};
}

void Connection::keep(std::string_view rest) {
  if (rest.empty()) {
    unread_.reset();
  } else if (unread_ && is_within(rest, *unread_)) {
    unread_->erase(0, static_cast<std::size_t>(rest.data() - unread_->data()));
    unread_->resize(rest.size());
  } else if (unread_) {
    unread_->assign(rest);
  } else {
    unread_ = std::make_unique<std::string>(rest);
  }
}

Connection::Flush Connection::flush(BufferPool& pool) {
  while (out_ && sent_ < out_->size()) {
    const Transport::Transfer gone = transport_.write(std::string_view{*out_}.substr(sent_));
    if (gone.result == Transport::Result::ended) return Flush::failed;
    if (gone.result == Transport::Result::would_block) {
      if (sent_ > out_->size() / 2) {  // move the rest to the front once it is the smaller part
        out_->erase(0, sent_);
        sent_ = 0;
      }
      return Flush::transport_full;
    }
    sent_ += static_cast<std::uint32_t>(gone.bytes);
  }
  sent_ = 0;
  if (out_) pool.give_back(std::move(out_));
  switch (transport_.flush()) {
    case Transport::Result::ended:
      return Flush::failed;
    case Transport::Result::would_block:
      return Flush::transport_full;
    case Transport::Result::done:
      break;
  }
  return Flush::all_sent;
}

}  // namespace hub::broker
