#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace hub::test {

// Stands between the hub and PostgreSQL, on a Unix socket of its own, and spoils the links when
// told to. It reads the hub's side of the protocol, so that it knows the message that commits.
//
// A thread of its own; every function may be called from any thread.
class FaultProxy {
 public:
  // server_socket: the path of PostgreSQL's Unix socket.
  explicit FaultProxy(std::string server_socket);
  ~FaultProxy();
  FaultProxy(const FaultProxy&) = delete;
  FaultProxy& operator=(const FaultProxy&) = delete;

  [[nodiscard]] std::string url(std::string_view database, std::string_view user = "hub") const;

  // Ends every link, at both ends.
  void cut();

  // How the next COMMIT of a link goes wrong. The hub cannot tell them apart.
  enum class CommitCut : std::uint8_t {
    before,        // what commits is withheld, and the link cut: the server rolls back
    after,         // it is forwarded, and the link cut at once: the server is about to commit
    after_answer,  // the server's answer is withheld, and the link cut: it has committed
    late,          // what commits is withheld until heal(), even if the hub has gone by then
  };
  // Of the link that next sends what commits; once.
  void cut_at_commit(CommitCut when);
  [[nodiscard]] std::uint64_t commits_cut() const;

  enum class Side : std::uint8_t { hub, server };
  // Tells that side of every link that nothing more comes; the other direction goes on.
  void half_close(Side side);

  // What follows lasts until heal().

  // Of the links that exist, keeps what that side sends, from the first piece on that has `text` in
  // it. It is passed on by heal(), even if its sender has gone by then.
  void hold(Side from, std::string_view text = {});
  // True when something is being kept so.
  [[nodiscard]] bool holds() const;

  // Nothing passes in either direction, on the links that exist; new ones are served. What was
  // sent meanwhile is passed on by heal(), even if its sender has gone by then.
  void stall();
  // As stall(), and new links are accepted and hang, too.
  void black_hole();
  // The socket is not there; links that exist go on.
  void refuse();
  // Each piece arrives so much later, in both directions.
  void delay(std::chrono::milliseconds by);

  void heal();

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace hub::test
