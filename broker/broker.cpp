#include "broker/broker.h"

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <future>
#include <thread>

#include "base/log.h"
#include "broker/shard.h"

namespace hub::broker {

// One shard and its thread. The shard is made, used and destroyed on that thread.
struct Broker::Worker {
  boost::asio::io_context io{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{io.get_executor()};
  std::unique_ptr<Shard> shard;
  std::promise<void> release;  // the shard may be destroyed: no other one runs any more
  std::thread thread;

  // Runs f on the shard's thread and waits for its result.
  template <class F>
  auto call(F f) {
    std::packaged_task<decltype(f(*shard))()> task{[&] { return f(*shard); }};
    auto result = task.get_future();
    boost::asio::post(io, [&task] { task(); });
    return result.get();
  }
};

Broker::Broker(const Options& options, std::uint32_t shards, const SinkFactory& make_sink,
               StoredSessions sessions)
    : open_connections_(options.max_connections) {
  for (std::uint32_t id = 0; id < shards; ++id) {
    auto worker = std::make_unique<Worker>();
    worker->thread = std::thread([this, worker = worker.get(), id, shards, options] {
      worker->shard = std::make_unique<Shard>(id, shards, worker->io, options, open_connections_);
      worker->io.run();
      worker->release.get_future().wait();
      worker->shard.reset();
    });
    workers_.push_back(std::move(worker));
  }
  std::vector<OnShard<Shard>> peers;
  for (const auto& worker : workers_) {
    peers.push_back(worker->call([&](Shard& shard) { return OnShard<Shard>{worker->io, shard}; }));
  }
  for (const auto& worker : workers_) {
    worker->call([&](Shard& shard) {
      shard.connect_peers(peers);
      shard.set_sink(make_sink(shard.id(), worker->io, shard));
    });
  }
  for (const auto& worker : workers_) {
    worker->call([&](Shard& shard) {
      for (const StoredSession& session : sessions) shard.restore_session(session);
    });
  }
}

Broker::~Broker() {
  stop(std::chrono::milliseconds{0});
  for (const auto& worker : workers_) {
    worker->work.reset();
    worker->io.stop();
  }
  for (const auto& worker : workers_) worker->release.set_value();
  for (const auto& worker : workers_) worker->thread.join();
}

std::uint16_t Broker::listen(const ListenerOptions& options) {
  Listener listener = listen_on(options, static_cast<std::uint32_t>(workers_.size()));
  if (const auto tls = listener.filters->tls()) {
    for (const std::string& warning : tls->warnings()) log::warning("{}", warning);
  }
  {
    const std::lock_guard lock{mutex_};
    filters_.push_back(listener.filters);
  }
  if (!options.unix_socket.empty()) unix_sockets_.push_back(options.unix_socket);
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    workers_[i]->call(
        [&](Shard& shard) { shard.listen({std::move(listener.sockets[i]), listener.filters}); });
  }
  return listener.port;
}

std::uint16_t Broker::listen(const std::string& address, std::uint16_t port) {
  ListenerOptions options;
  options.address = address;
  options.port = port;
  return listen(options);
}

std::vector<std::string> Broker::reload_tls() {
  std::vector<std::string> problems;
  for (const auto& filters : this->filters()) {
    try {
      filters->reload();
      if (const auto tls = filters->tls()) {
        for (const std::string& warning : tls->warnings()) log::warning("{}", warning);
      }
    } catch (const std::exception& error) {
      problems.emplace_back(error.what());
    }
  }
  return problems;
}

Broker::Filters Broker::filters() const {
  const std::lock_guard lock{mutex_};
  return filters_;
}

bool Broker::stop(std::chrono::milliseconds grace) {
  if (std::exchange(stopped_, true)) return true;
  std::error_code ignored;
  for (const std::filesystem::path& path : unix_sockets_) std::filesystem::remove(path, ignored);
  std::vector<std::future<bool>> done;
  for (const auto& worker : workers_) {
    auto promise = std::make_shared<std::promise<bool>>();
    done.push_back(promise->get_future());
    worker->call([&](Shard& shard) {
      shard.stop(grace, [promise](bool complete) { promise->set_value(complete); });
    });
  }
  bool complete = true;
  for (auto& shard_done : done) complete = shard_done.get() && complete;
  return complete;
}

void Broker::publish_own(std::vector<std::pair<std::string, std::string>> messages) {
  // On the shard that keeps the retained messages.
  Worker* const keeper = workers_.front().get();
  boost::asio::post(keeper->io, [keeper, messages = std::move(messages)] {
    keeper->shard->publish_own(messages);
  });
}

Broker::Totals Broker::totals() const {
  Totals totals;
  for (const auto& worker : workers_) {
    worker->call([&](Shard& shard) {
      totals.counters += shard.counters();
      totals.connections += shard.connection_count();
      totals.sessions += shard.session_count();
      totals.parked_bytes += static_cast<std::size_t>(shard.parked_bytes());
    });
  }
  using Time = std::chrono::system_clock::time_point;
  Time expires_at = Time::max();
  for (const auto& filters : this->filters()) {
    if (const auto tls = filters->tls()) expires_at = std::min(expires_at, tls->expires_at());
  }
  if (expires_at != Time::max()) totals.tls_expires_at = expires_at;
  return totals;
}

}  // namespace hub::broker
