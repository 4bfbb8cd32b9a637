#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/load/in_flight.h"
#include "bench/load/message_source.h"
#include "bench/load/options.h"
#include "bench/load/text_template.h"
#include "bench/load/worker.h"

namespace hub::bench {

// Publishers, subscribers, or both: every mode that moves messages. With both, a publisher's window
// also bounds what has not been delivered, so that no broker is pushed into dropping QoS 0.
class Traffic : public Worker {
 public:
  Traffic(const Options& options, Share share);

  void start(std::function<void()> on_done) override;
  void drain() override;
  void give_up() override;
  [[nodiscard]] Counters snapshot() override;
  [[nodiscard]] std::uint64_t progress() const noexcept override { return progress_; }

  ClientPlan plan(std::uint32_t client) const override;
  void on_ready(Client& client) override;
  void on_packets(Client& client, PacketScanner& packets) override;
  void on_writable(Client& client) override;
  void on_lost(Client& client) override;
  void on_round_done() override;

 private:
  // At QoS 0: what had been sent before a PINGREQ, and has arrived when its PINGRESP comes.
  struct Mark {
    std::uint32_t ping;
    std::uint64_t written;
  };
  struct Publisher {
    MessageSource source;
    InFlight in_flight;
    std::uint64_t quota;    // messages that it shall send in all
    std::uint64_t allowed;  // messages that its pace lets it have sent by now
    std::uint64_t deliveries = 0;
    std::uint64_t arrived = 0;  // messages that a mark has shown to have arrived
    bool touched = false;       // stands in touched_
    std::vector<Mark> marks{};
    std::size_t unmarked_bytes = 0;
    bool last_mark = false;  // the one after the last message is sent
    bool done = false;
  };
  struct Subscriber {
    std::vector<std::uint64_t> last_sequence;  // by publisher, from its first
  };

  [[nodiscard]] bool is_publisher(const Client& client) const noexcept {
    return client.index >= subscribers_.size();
  }
  Publisher& publisher_of(const Client& client) noexcept {
    return publishers_[client.index - subscribers_.size()];
  }
  Client& client_of(std::size_t publisher) noexcept {
    return engine().clients()[subscribers_.size() + publisher];
  }
  [[nodiscard]] bool may_send(const Publisher& publisher) const noexcept;
  void publish(Client& client, Publisher& publisher);
  [[nodiscard]] std::int64_t intended_ns(const Publisher& publisher) const noexcept;
  void mark(Client& client, Publisher& publisher);
  void batch_acks(Client& client, const Publisher& publisher);
  void touch(std::size_t publisher);
  void tick();
  void grant(std::uint64_t due);

  void on_pingresp(Client& client);
  void on_ack(Client& client, Publisher& publisher, const Packet& packet);
  void acknowledged(const InFlight::Result& result, bool last);
  void on_delivery(Client& client, const Packet& packet);
  void check_stamp(Client& client, const Delivery& delivery);
  void check_done(Client& client, Publisher& publisher);
  void finish(Publisher& publisher);
  void refused(PacketType type, std::uint8_t reason);

  const Options& options_;
  Share share_;
  TextTemplate topic_;
  TextTemplate payload_;
  std::optional<std::size_t> stamp_at_;
  boost::asio::steady_timer ticker_;
  std::vector<Subscriber> subscribers_;
  std::vector<Publisher> publishers_;
  std::uint64_t copies_ = 0;  // deliveries of each message; 0: nobody of ours subscribes
  std::vector<std::size_t> touched_;
  std::size_t open_publishers_ = 0;
  std::function<void()> on_done_;
  bool started_ = false;
  bool draining_ = false;

  std::int64_t start_ns_ = 0;
  double period_ns_ = 0;       // between two messages of this engine
  std::uint64_t granted_ = 0;  // messages that the pace has let go
  std::int64_t read_ns_ = 0;   // when the packets at hand were read
  std::uint64_t progress_ = 0;
};

}  // namespace hub::bench
