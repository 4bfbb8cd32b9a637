#pragma once

#include <sys/epoll.h>
#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/load/clock.h"
#include "bench/load/counters.h"
#include "bench/load/options.h"
#include "bench/load/packets.h"

namespace hub::bench {

// One MQTT connection of the load, and what is left over of its last read and write.
struct Client {
  enum class State : std::uint8_t { closed, connecting, handshaking, subscribing, ready, leaving };

  std::uint32_t index = 0;  // among the clients of its engine
  int fd = -1;
  State state = State::closed;
  Connack connack;
  std::int64_t opened_ns = 0;
  std::int64_t last_sent_second = 0;
  std::uint32_t pings_sent = 0;
  std::uint32_t pings_answered = 0;
  std::string partial;  // the beginning of a packet whose rest has not come
  std::string unsent;   // what the socket did not take
};

// Who a client is, and what it subscribes to before it counts as ready.
struct ClientPlan {
  std::string client_id;
  std::string filter = {};  // empty: no subscription
  std::uint8_t qos = 0;
};

class Engine;

// What a run does with its clients. Called by the engine, on its thread.
class Driver {
 public:
  virtual ~Driver() = default;

  [[nodiscard]] virtual ClientPlan plan(std::uint32_t client) const = 0;
  // The broker has accepted the connection, and the subscription if there is one.
  virtual void on_ready(Client& client) = 0;
  // Whole packets have come, after on_ready(). What the driver appends to the engine's output is
  // sent when this returns.
  virtual void on_packets(Client& client, PacketScanner& packets) = 0;
  // The socket has taken all that was unsent, and has room.
  virtual void on_writable(Client& client) = 0;
  // The connection is gone without our doing; already counted as an error.
  virtual void on_lost(Client& client) = 0;
  // Every socket that was ready has been dealt with.
  virtual void on_round_done() = 0;
};

// One thread's connections. Asio resolves, keeps time and waits; the sockets hang on an epoll of
// their own beneath it, so that one wake-up deals with every ready socket by one recv and one send
// each, through two buffers that all connections share. Owned and used by one thread.
class Engine {
 public:
  Engine(const Target& target, std::uint32_t clients, Driver& driver);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  [[nodiscard]] boost::asio::io_context& context() noexcept { return context_; }
  [[nodiscard]] Counters& counters() noexcept { return counters_; }
  [[nodiscard]] std::deque<Client>& clients() noexcept { return clients_; }

  // Opens all connections, `connecting` at a time; on_all_ready is called once, when each is ready.
  // An endpoint that cannot be resolved throws boost::system::system_error.
  void open_all(std::function<void()> on_all_ready);
  // Opens a closed client again: now, or at the next full second.
  void open(Client& client);
  void open_later(Client& client) { to_reopen_.push_back(&client); }
  // Sends DISCONNECT and leaves the closing to the broker for a second, so that it and not this
  // end keeps the port in TIME_WAIT; on_closed is called at the end.
  void leave(Client& client);
  void set_on_left(std::function<void(Client&)> on_left) { on_left_ = std::move(on_left); }

  // Room for what is to be sent to a client: fill at(), then added(), then send().
  class Output {
   public:
    [[nodiscard]] char* at() noexcept { return buffer_.data() + size_; }
    [[nodiscard]] std::size_t room() const noexcept { return buffer_.size() - size_; }
    void added(std::size_t bytes) noexcept { size_ += bytes; }
    void ack(PacketType type, std::uint16_t packet_id) noexcept {
      char* bytes = at();
      const unsigned flags = type == PacketType::pubrel ? 0x02 : 0x00;
      bytes[0] = static_cast<char>(static_cast<unsigned>(type) << 4 | flags);
      bytes[1] = 2;
      bytes[2] = static_cast<char>(packet_id >> 8);
      bytes[3] = static_cast<char>(packet_id & 0xFF);
      size_ += 4;
    }
    void append(std::string_view bytes) noexcept {
      bytes.copy(at(), bytes.size());
      size_ += bytes.size();
    }

   private:
    friend class Engine;
    std::vector<char> buffer_ = std::vector<char>(kBufferBytes);
    std::size_t size_ = 0;
  };
  [[nodiscard]] Output& output() noexcept { return output_; }
  // Sends the output to the client; what the socket does not take waits in client.unsent.
  void send(Client& client);
  // True while the socket takes nothing more: on_writable() ends that.
  [[nodiscard]] static bool blocked(const Client& client) noexcept {
    return !client.unsent.empty();
  }

  // on_writable() will be called once the socket's buffer has room, which it may have now.
  void call_when_writable(Client& client);

  // The client is read when as many bytes have come, so that acknowledgements that trickle in one
  // by one cost one wake-up for many. 1 is the usual.
  static void read_from(Client& client, int bytes);

  // Sends PINGREQ. The broker answers once it has dealt with all that was sent before it.
  void ping(Client& client);

  // Counts, and closes a connection that the broker broke, or that broke the protocol.
  void lose(Client& client, const std::string& why);
  void close(Client& client);

  // Stops waiting for sockets and timers, so that context().run() returns.
  void stop();

  static constexpr std::size_t kBufferBytes = std::size_t{256} << 10;

 private:
  void wait();
  void turn();
  void handle(Client& client, std::uint32_t events);
  void connected(Client& client);
  [[nodiscard]] std::string connect_packet(const Client& client) const;
  void read(Client& client);
  void handshake(Client& client, PacketScanner& packets);
  void ready(Client& client);
  void open_next();
  void watch(Client& client, int operation, std::uint32_t events);
  void keep_alive();
  [[nodiscard]] int new_socket();

  Target target_;
  Driver& driver_;
  boost::asio::io_context context_{1};
  boost::asio::posix::stream_descriptor poller_;
  boost::asio::steady_timer second_;
  boost::asio::ip::tcp::endpoint endpoint_;
  std::int64_t seconds_ = 0;
  std::deque<Client> clients_;
  std::vector<Client*> to_reopen_;
  std::uint32_t opened_ = 0;
  std::uint32_t ready_ = 0;
  bool announced_ = false;
  std::function<void()> on_all_ready_;
  std::function<void(Client&)> on_left_;
  std::vector<char> input_ = std::vector<char>(kBufferBytes);
  Output output_;
  Counters counters_;
  std::vector<epoll_event> events_ = std::vector<epoll_event>(512);
};

}  // namespace hub::bench
