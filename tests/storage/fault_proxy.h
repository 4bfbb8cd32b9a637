#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace hub::storage {

// Stands between the writer and PostgreSQL, on a Unix socket of its own, and spoils the link when
// told to. Its own threads; every call from the test's.
class FaultProxy {
 public:
  explicit FaultProxy(std::string server_socket);
  ~FaultProxy();
  FaultProxy(const FaultProxy&) = delete;
  FaultProxy& operator=(const FaultProxy&) = delete;

  [[nodiscard]] std::string url(std::string_view database) const;

  // On the links that exist, keeps what the writer (or the server) sends, from the first piece on
  // that has `text` in it, until release(). A link that its writer has closed meanwhile is closed
  // towards the server only then.
  void hold_questions(std::string_view text = {});
  void hold_answers(std::string_view text = {});
  void release();

  // True when something is being held.
  [[nodiscard]] bool holds();

  // Ends every link towards the writer, at once.
  void cut();

 private:
  // One direction of a link.
  struct Way {
    int from = -1;
    int to = -1;
    bool armed = false;    // look for text
    bool holding = false;  // it has been seen
    std::string text;
    std::thread pump;
  };
  struct Link {
    Way questions;
    Way answers;
  };

  void accept_links();
  void pump(Way& way);
  void hold(Way Link::* way, std::string_view text);

  std::string server_socket_;
  std::string directory_;
  int listener_ = -1;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ending_ = false;
  std::vector<std::unique_ptr<Link>> links_;
  std::thread acceptor_;
};

}  // namespace hub::storage
