#pragma once

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "broker/broker.h"
#include "tests/support/raw_mqtt_client.h"

namespace hub::broker {

// Takes what is published under "rows/" and commits when the test says so.
class Ledger {
 public:
  class Sink final : public PublishSink {
   public:
    Sink(Ledger& ledger, boost::asio::io_context& io, SinkListener& listener)
        : ledger_(ledger), io_(io), listener_(listener) {}
    ~Sink() override {
      const std::lock_guard lock{ledger_.mutex_};
      std::erase(ledger_.sinks_, this);
    }

    const SinkRoute* route(std::string_view topic) override {
      return topic.starts_with("rows/") ? &route_ : nullptr;
    }
    bool take(const SinkRoute&, const MessageView& message, Publisher& publisher) override {
      const std::lock_guard lock{ledger_.mutex_};
      ledger_.taken_.emplace_back(message.payload);
      if (message.topic == "rows/echo")
        publisher.publish("echo", message.payload, Qos::at_least_once, false);
      if (message.topic == "rows/loop")
        publisher.publish("rows/loop", "again", Qos::at_most_once, false);
      return true;
    }
    void acknowledge_after_commit(AckToken token) override { tokens_.push_back(token); }
    void durable_change_waits() override { changed_ = true; }
    void make_durable(const DurableChange& change) override {
      const std::lock_guard lock{ledger_.mutex_};
      if (const auto* const gone = std::get_if<SessionGone>(&change)) {
        ledger_.sessions_.erase(std::string{gone->client_id});
      } else {
        const auto& kept = std::get<SessionKept>(change);
        ledger_.sessions_[std::string{kept.client_id}] = stored_form_of(kept);
      }
    }
    void end_of_turn() override {
      const std::lock_guard lock{ledger_.mutex_};
      if (!ledger_.held_ && (!tokens_.empty() || changed_)) commit_later();
    }
    std::int64_t room_bytes() const noexcept override {
      const std::lock_guard lock{ledger_.mutex_};
      return ledger_.full_ ? 0 : std::int64_t{1} << 30;
    }
    bool idle() const noexcept override { return tokens_.empty() && !changed_; }

    void commit_later() {
      boost::asio::post(io_, [this] { commit_now(); });
    }
    void commit_now() {
      changed_ = false;
      listener_.on_batch_closing();
      const std::vector<AckToken> tokens = std::exchange(tokens_, {});
      listener_.on_committed(tokens);
    }
    boost::asio::io_context& io() { return io_; }

   private:
    const SinkRoute route_;
    Ledger& ledger_;
    boost::asio::io_context& io_;
    SinkListener& listener_;
    std::vector<AckToken> tokens_;
    bool changed_ = false;
  };

  std::unique_ptr<PublishSink> make(boost::asio::io_context& io, SinkListener& listener) {
    auto sink = std::make_unique<Sink>(*this, io, listener);
    const std::lock_guard lock{mutex_};
    sinks_.push_back(sink.get());
    return sink;
  }
  void hold() { set(held_, true); }
  void commit() {
    const std::lock_guard lock{mutex_};
    held_ = false;
    for (Sink* sink : sinks_) sink->commit_later();
  }
  // No shard does anything until `go` is ready; then they commit before all else.
  void commit_when(const std::shared_future<void>& go) {
    const std::lock_guard lock{mutex_};
    held_ = false;
    for (Sink* sink : sinks_) {
      boost::asio::post(sink->io(), [sink, go] {
        go.wait();
        sink->commit_now();
      });
    }
  }
  void fill(bool full) {
    set(full_, full);
    if (!full) commit();
  }
  std::vector<std::string> taken() {
    const std::lock_guard lock{mutex_};
    return taken_;
  }
  // What is durable of a client's session.
  std::optional<StoredSession> session(const std::string& client_id) {
    const std::lock_guard lock{mutex_};
    const auto found = sessions_.find(client_id);
    if (found == sessions_.end()) return std::nullopt;
    return found->second;
  }
  Broker::StoredSessions stored() {
    const std::lock_guard lock{mutex_};
    Broker::StoredSessions out;
    for (const auto& [client_id, session] : sessions_) out.push_back(session);
    return out;
  }

 private:
  static StoredSession stored_form_of(const SessionKept& kept) {
    StoredSession out;
    out.client_id = kept.client_id;
    out.expiry_seconds = kept.expiry_seconds;
    for (const DurableSubscription& each : kept.subscriptions) {
      out.subscriptions.push_back({std::string{each.filter}, each.options, each.identifier});
    }
    out.packet_ids.assign(kept.packet_ids.begin(), kept.packet_ids.end());
    return out;
  }
  void set(bool& flag, bool value) {
    const std::lock_guard lock{mutex_};
    flag = value;
  }
  mutable std::mutex mutex_;
  std::vector<Sink*> sinks_;
  std::vector<std::string> taken_;
  std::map<std::string, StoredSession> sessions_;
  bool held_ = false;
  bool full_ = false;
};

// Both with one shard, where everything is local, and with three, where most things are not.
class BrokerTest : public testing::TestWithParam<std::uint32_t> {
 protected:
  explicit BrokerTest(const Options& options = {}) { start(options); }
  void start(const Options& options, const Broker::StoredSessions& sessions = {}) {
    broker.emplace(
        options, GetParam(),
        [this](std::uint32_t, boost::asio::io_context& io, SinkListener& listener) {
          return ledger.make(io, listener);
        },
        sessions);
    port = broker->listen("127.0.0.1", 0);
  }
  test::RawMqttClient client(std::string_view id,
                             mqtt::ProtocolVersion version = mqtt::ProtocolVersion::v5) {
    test::RawMqttClient client{port, version};
    client.connect(id);
    return client;
  }

  // What has arrived is handled, and what that asked of the sink is done.
  void settle() const {
    for (int i = 0; i < 2; ++i) (void)broker->totals();
  }

  Ledger ledger;
  std::optional<Broker> broker;
  std::uint16_t port = 0;
};

}  // namespace hub::broker
