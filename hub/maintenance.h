#pragma once

#include <chrono>
#include <future>
#include <string>
#include <thread>

namespace hub {

// What the database needs at each start and once a day (storage::maintain), on a thread of its own:
// it may take long, and the database may hang. What it did is in the log. A failure is no reason to
// stop: it is logged, and made good an hour later.
class Maintenance {
 public:
  // Begins at once.
  explicit Maintenance(std::string url,
                       std::chrono::milliseconds interval = std::chrono::hours{24});
  // Leaves what is under way, which the database then does not do. Waits for an attempt to connect:
  // connect_timeout for each host of the URL.
  ~Maintenance();
  Maintenance(const Maintenance&) = delete;
  Maintenance& operator=(const Maintenance&) = delete;

  // Returns when the first time is over, however it ended; or after so long.
  void wait_for_first(std::chrono::milliseconds at_most) const { first_.wait_for(at_most); }

 private:
  void run(const std::stop_token& stop, std::promise<void> first);

  const std::string url_;
  const std::chrono::milliseconds interval_;
  std::future<void> first_;
  std::jthread thread_;
};

}  // namespace hub
