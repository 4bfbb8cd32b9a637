#include "tests/support/fault_proxy.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <deque>
#include <filesystem>
#include <list>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/file_descriptor.h"
#include "tests/support/commit_watch.h"
#include "tests/support/temporary_directory.h"

namespace hub::test {
namespace {

using Clock = std::chrono::steady_clock;

// What a way holds before it stops reading, as the buffers of a network would.
constexpr std::size_t kHeldBytes = std::size_t{1} << 20;

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw std::runtime_error("too long: " + path);
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

FileDescriptor unix_socket() {
  return FileDescriptor{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
}

constexpr Clock::time_point kNever = Clock::time_point::max();

// One direction of a link.
struct Way {
  struct Piece {
    Clock::time_point due;
    std::string bytes;
  };
  std::deque<Piece> pieces;
  std::size_t held_bytes = 0;
  std::optional<std::string> hold_from;  // what has this text, and all after it, is kept
  bool holds = false;                    // it has been seen
  bool ended = false;                    // nothing more comes in
  bool shut = false;                     // its end was passed on
  bool discarded = false;                // what comes is thrown away

  void put(std::string_view bytes, std::chrono::milliseconds delay) {
    if (discarded || bytes.empty()) return;
    if (hold_from && bytes.find(*hold_from) != std::string_view::npos) holds = true;
    pieces.push_back({holds ? kNever : Clock::now() + delay, std::string{bytes}});
    held_bytes += bytes.size();
  }
  void release() {
    hold_from.reset();
    holds = false;
    for (Piece& piece : pieces) {
      if (piece.due == kNever) piece.due = Clock::now();
    }
  }
  void discard() {
    discarded = true;
    pieces.clear();
    held_bytes = 0;
  }
};

struct Link {
  FileDescriptor hub;
  FileDescriptor server;  // not open in a black hole
  Way questions;
  Way answers;
  CommitWatch watch{};
  bool stalled = false;
  std::optional<FaultProxy::CommitCut> cutting{};  // what commits has been seen
  bool dead = false;
};

// True when the server says that it waits for the next query.
bool ends_with_ready(std::string_view bytes) {
  constexpr std::string_view kReady{"Z\0\0\0\5", 5};
  return bytes.size() >= 6 && bytes.substr(bytes.size() - 6).starts_with(kReady);
}

}  // namespace

class FaultProxy::Loop {
 public:
  explicit Loop(std::string server_socket)
      : server_socket_(std::move(server_socket)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    listen();
    thread_ = std::thread([this] { run(); });
  }
  ~Loop() {
    ending_ = true;
    rouse();
    thread_.join();
  }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  [[nodiscard]] std::string directory() const { return directory_.path(); }
  [[nodiscard]] std::uint64_t commits_cut() const { return commits_cut_; }

  // Runs f on the state, between two turns of the loop.
  template <class F>
  void change(F f) {
    {
      const std::lock_guard lock(mutex_);
      f(*this);
    }
    rouse();
  }

  void cut() {
    for (Link& link : links_) link.dead = true;
  }
  void half_close(Side side) {
    for (Link& link : links_) {
      if (!link.server) continue;
      Way& way = side == Side::hub ? link.answers : link.questions;
      way.discard();
      way.shut = true;
      ::shutdown((side == Side::hub ? link.hub : link.server).get(), SHUT_WR);
    }
  }
  void hold(Side from, std::string_view text) {
    for (Link& link : links_) {
      (from == Side::hub ? link.questions : link.answers).hold_from = text;
    }
  }
  [[nodiscard]] bool holds() const {
    return std::ranges::any_of(
        links_, [](const Link& link) { return link.questions.holds || link.answers.holds; });
  }
  void stall() {
    for (Link& link : links_) link.stalled = true;
  }
  void refuse() {
    listener_.reset();
    std::filesystem::remove(socket_path());
  }
  void heal() {
    for (Link& link : links_) {
      link.stalled = false;
      link.questions.release();
      link.answers.release();
      if (!link.server) link.dead = true;
    }
    black_hole_ = false;
    delay_ = std::chrono::milliseconds{0};
    cut_at_commit_.reset();
    if (!listener_) listen();
  }

  std::optional<CommitCut> cut_at_commit_;
  std::chrono::milliseconds delay_{0};
  bool black_hole_ = false;

 private:
  [[nodiscard]] std::string socket_path() const { return directory() + "/.s.PGSQL.5432"; }

  void rouse() {
    const std::uint64_t one = 1;
    (void)!::write(wake_.get(), &one, sizeof one);
  }

  void listen() {
    listener_ = unix_socket();
    const sockaddr_un address = address_of(socket_path());
    if (::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener_.get(), 64) != 0) {
      throw std::runtime_error(fmt::format("cannot listen on {}", socket_path()));
    }
  }

  void run() {
    std::vector<pollfd> polled;
    while (!ending_) {
      polled.clear();
      int timeout = -1;
      {
        const std::lock_guard lock(mutex_);
        turn();
        polled.push_back({wake_.get(), POLLIN, 0});
        if (listener_) polled.push_back({listener_.get(), POLLIN, 0});
        for (const Link& link : links_) timeout = watch(link, polled, timeout);
      }
      ::poll(polled.data(), polled.size(), timeout);
      std::uint64_t ignored = 0;
      (void)!::read(wake_.get(), &ignored, sizeof ignored);
    }
  }

  // What a link waits for; returns the time until its next piece is due, if that is less.
  static int watch(const Link& link, std::vector<pollfd>& polled, int timeout) {
    pollfd hub{link.hub.get(), 0, 0};
    pollfd server{link.server.get(), 0, 0};
    const auto look = [&](const Way& way, pollfd& from, pollfd& to) {
      if (!way.ended && way.held_bytes < kHeldBytes) from.events |= POLLIN;
      if (link.stalled || way.pieces.empty() || way.pieces.front().due == kNever) return;
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
          way.pieces.front().due - Clock::now());
      if (left.count() < 0) {
        to.events |= POLLOUT;
      } else {
        const int more = static_cast<int>(left.count()) + 1;
        timeout = timeout < 0 ? more : std::min(timeout, more);
      }
    };
    look(link.questions, hub, server);
    if (link.server) look(link.answers, server, hub);
    // poll() reports a hang-up even to who did not ask.
    if (hub.events != 0) polled.push_back(hub);
    if (link.server && server.events != 0) polled.push_back(server);
    return timeout;
  }

  void turn() {
    accept();
    for (Link& link : links_) {
      if (link.dead) continue;
      receive(link, link.questions, link.hub, [&](std::string_view b) { question(link, b); });
      if (!link.server) {
        link.dead = link.dead || link.questions.ended;
        continue;
      }
      receive(link, link.answers, link.server, [&](std::string_view b) { answer(link, b); });
      if (link.dead || link.stalled) continue;
      pass_on(link, link.questions, link.server);
      pass_on(link, link.answers, link.hub);
      if (link.cutting == CommitCut::before && link.questions.pieces.empty()) link.dead = true;
      if (link.cutting == CommitCut::after && link.questions.pieces.empty()) {
        link.hub.reset();  // the server is heard to its end, so that it goes on
        link.questions.ended = true;
        link.answers.discard();
      }
      if (link.questions.shut && link.answers.ended && link.answers.pieces.empty()) {
        link.dead = true;
      }
    }
    links_.remove_if([](const Link& link) { return link.dead; });
  }

  void accept() {
    while (listener_) {
      FileDescriptor hub{
          ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
      if (!hub) return;
      Link link{.hub = std::move(hub), .server = {}, .questions = {}, .answers = {}};
      if (!black_hole_) {
        link.server = unix_socket();
        const sockaddr_un address = address_of(server_socket_);
        if (::connect(link.server.get(), reinterpret_cast<const sockaddr*>(&address),
                      sizeof address) != 0) {
          continue;  // the server is not there: neither are we
        }
      }
      links_.push_back(std::move(link));
    }
  }

  template <class F>
  void receive(Link& link, Way& way, const FileDescriptor& from, F take) {
    char buffer[64 * 1024];
    while (from && !way.ended && way.held_bytes < kHeldBytes && !link.dead) {
      const ssize_t bytes = ::recv(from.get(), buffer, sizeof buffer, 0);
      if (bytes < 0 && (errno == EAGAIN || errno == EINTR)) return;
      if (bytes <= 0) {
        way.ended = true;
        return;
      }
      take(std::string_view{buffer, static_cast<std::size_t>(bytes)});
    }
  }

  void question(Link& link, std::string_view bytes) {
    if (!link.server) return;  // swallowed
    const auto found = link.watch.read(bytes);
    if (found && cut_at_commit_ && !link.cutting) {
      link.cutting = *cut_at_commit_;
      cut_at_commit_.reset();
      ++commits_cut_;
      if (link.cutting == CommitCut::before) bytes = bytes.substr(0, found->begin);
      if (link.cutting == CommitCut::late) link.stalled = true;
      link.questions.put(bytes, delay_);
      link.questions.ended = link.cutting == CommitCut::before || link.cutting == CommitCut::after;
      return;
    }
    link.questions.put(bytes, delay_);
  }

  void answer(Link& link, std::string_view bytes) {
    if (link.cutting == CommitCut::after_answer) {
      if (ends_with_ready(bytes)) link.dead = true;
      return;
    }
    link.answers.put(bytes, delay_);
  }

  static void pass_on(Link& link, Way& way, const FileDescriptor& to) {
    while (!way.pieces.empty() && way.pieces.front().due <= Clock::now()) {
      std::string& bytes = way.pieces.front().bytes;
      const ssize_t sent = to ? ::send(to.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) : -1;
      if (sent < 0) {
        if (errno == EAGAIN) return;
        if (&way == &link.answers) {  // the hub has gone; the server may have more to read
          way.discard();
          return;
        }
        link.dead = true;
        return;
      }
      way.held_bytes -= static_cast<std::size_t>(sent);
      bytes.erase(0, static_cast<std::size_t>(sent));
      if (bytes.empty()) way.pieces.pop_front();
    }
    if (way.ended && way.pieces.empty() && !way.shut) {
      way.shut = true;
      if (to) ::shutdown(to.get(), SHUT_WR);
    }
  }

  const TemporaryDirectory directory_;
  const std::string server_socket_;
  const FileDescriptor wake_;
  std::mutex mutex_;  // held by the loop while it does not wait, and by change()
  FileDescriptor listener_;
  std::list<Link> links_;
  std::atomic<std::uint64_t> commits_cut_ = 0;
  std::atomic<bool> ending_ = false;
  std::thread thread_;
};

FaultProxy::FaultProxy(std::string server_socket)
    : loop_(std::make_unique<Loop>(std::move(server_socket))) {}

FaultProxy::~FaultProxy() = default;

std::string FaultProxy::url(std::string_view database, std::string_view user) const {
  return fmt::format("postgresql:///{}?host={}&user={}", database, loop_->directory(), user);
}

void FaultProxy::cut() {
  loop_->change([](Loop& loop) { loop.cut(); });
}

void FaultProxy::cut_at_commit(CommitCut when) {
  loop_->change([when](Loop& loop) { loop.cut_at_commit_ = when; });
}

std::uint64_t FaultProxy::commits_cut() const { return loop_->commits_cut(); }

void FaultProxy::half_close(Side side) {
  loop_->change([side](Loop& loop) { loop.half_close(side); });
}

void FaultProxy::hold(Side from, std::string_view text) {
  loop_->change([&](Loop& loop) { loop.hold(from, text); });
}

bool FaultProxy::holds() const {
  bool out = false;
  loop_->change([&](Loop& loop) { out = loop.holds(); });
  return out;
}

void FaultProxy::stall() {
  loop_->change([](Loop& loop) { loop.stall(); });
}

void FaultProxy::black_hole() {
  loop_->change([](Loop& loop) {
    loop.stall();
    loop.black_hole_ = true;
  });
}

void FaultProxy::refuse() {
  loop_->change([](Loop& loop) { loop.refuse(); });
}

void FaultProxy::delay(std::chrono::milliseconds by) {
  loop_->change([by](Loop& loop) { loop.delay_ = by; });
}

void FaultProxy::heal() {
  loop_->change([](Loop& loop) { loop.heal(); });
}

}  // namespace hub::test
