#pragma once

#include <cstdint>
#include <string_view>

#include "broker/publish_sink.h"

namespace hub::broker {

// Wants nothing, and has always done it.
class NoSink final : public PublishSink {
 public:
  const SinkRoute* route(std::string_view) override { return nullptr; }
  bool take(const SinkRoute&, const MessageView&, Publisher&) override { return false; }
  void acknowledge_after_commit(AckToken) override {}
  void durable_change_waits() override {}
  void make_durable(const DurableChange&) override {}
  void end_of_turn() override {}
  std::int64_t room_bytes() const noexcept override { return 1 << 20; }
  bool idle() const noexcept override { return true; }
};

}  // namespace hub::broker
