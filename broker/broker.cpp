#include "broker/broker.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <future>
#include <thread>

#include "broker/shard.h"
#include "broker/transport/listener.h"

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

std::uint16_t Broker::listen(const std::string& address, std::uint16_t port) {
  Listeners listeners = listen_on(address, port, static_cast<std::uint32_t>(workers_.size()));
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    workers_[i]->call([&](Shard& shard) { shard.start(std::move(listeners.sockets[i])); });
  }
  return listeners.port;
}

bool Broker::stop(std::chrono::milliseconds grace) {
  if (std::exchange(stopped_, true)) return true;
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
  return totals;
}

}  // namespace hub::broker
