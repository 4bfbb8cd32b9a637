#include "storage/connector.h"

#include <libpq-fe.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <mutex>
#include <utility>
#include <vector>

#include "storage/connection_parameters.h"
#include "storage/pg_handles.h"

namespace hub::storage {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kThreads = 4;  // attempts at a time; each may hang for connect_timeout

}  // namespace

struct Connector::Impl {
  explicit Impl(ConnectionParameters all) : parameters(std::move(all)) {}

  ConnectionParameters parameters;
  asio::thread_pool pool{kThreads};
};

// Shared by the one who waits and the thread that connects. `io` is null once nobody waits.
struct Connector::Attempt::State {
  State(asio::io_context& home, Done callback) : io(&home), done(std::move(callback)) {}

  std::mutex mutex;
  asio::io_context* io;
  Done done;
};

Connector::Connector(const std::string& url)
    : impl_(std::make_unique<Impl>(connection_parameters(url))) {}

Connector::~Connector() { impl_->pool.join(); }

std::unique_ptr<Connector::Attempt> Connector::connect(asio::io_context& io, Done done) {
  auto state = std::make_shared<Attempt::State>(io, std::move(done));
  asio::post(impl_->pool, [state, &parameters = impl_->parameters] {
    {
      const std::lock_guard lock(state->mutex);
      if (state->io == nullptr) return;
    }
    std::vector<const char*> keywords;
    std::vector<const char*> values;
    for (const auto& [keyword, value] : parameters) {
      keywords.push_back(keyword.c_str());
      values.push_back(value.c_str());
    }
    keywords.push_back(nullptr);
    values.push_back(nullptr);
    auto connection = std::make_shared<PgConnection>(
        PQconnectdbParams(keywords.data(), values.data(), /*expand_dbname=*/0));

    const std::lock_guard lock(state->mutex);
    if (state->io == nullptr) return;
    asio::post(*state->io, [state, connection] {
      if (state->io == nullptr) return;
      const bool good = PQstatus(connection->get()) == CONNECTION_OK;
      DatabaseFault fault;
      if (!good) fault.message = one_line(PQerrorMessage(connection->get()));
      const Done callback = std::move(state->done);
      callback(good ? connection->release() : nullptr, std::move(fault));
    });
  });
  return std::unique_ptr<Attempt>(new Attempt(std::move(state)));
}

Connector::Attempt::Attempt(std::shared_ptr<State> state) : state_(std::move(state)) {}

Connector::Attempt::~Attempt() {
  const std::lock_guard lock(state_->mutex);
  state_->io = nullptr;
}

}  // namespace hub::storage
