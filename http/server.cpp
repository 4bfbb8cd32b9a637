#include "http/server.h"

#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <set>
#include <stdexcept>
#include <thread>

#include "base/log.h"

namespace hub::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""ms;

constexpr auto kPatience = 30s;  // for a request to arrive, and for an answer to leave
constexpr std::size_t kMaxHeaderBytes = 16 << 10;

using Parser = beast::http::request_parser<beast::http::string_body>;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

bool translate(Parser& parser, Request& request) {
  auto& message = parser.get();
  request.method = std::string(message.method_string());
  for (const auto& field : message) {
    const auto value = field.value();
    request.headers[lower({field.name_string().data(), field.name_string().size()})] =
        std::string(value.data(), value.size());
  }
  request.body = std::move(message.body());
  return parse_target({message.target().data(), message.target().size()}, request);
}

beast::http::response<beast::http::string_body> translate(Response&& response, unsigned version,
                                                          bool keep) {
  beast::http::response<beast::http::string_body> out{
      static_cast<beast::http::status>(response.status), version};
  out.set(beast::http::field::content_type, response.content_type);
  out.set(beast::http::field::cache_control, "no-store");
  for (const auto& [name, value] : response.headers) out.set(name, value);
  out.body() = std::move(response.body);
  out.keep_alive(keep);
  out.prepare_payload();
  return out;
}

asio::awaitable<Response> handle(const Handler& handler, Request request) {
  co_return handler(request);
}

}  // namespace

struct Server::State {
  State(const ServerOptions& given, Handler to)
      : options(given),
        handler(std::move(to)),
        pool(static_cast<std::size_t>(given.handler_threads)) {}

  asio::awaitable<void> accept();
  asio::awaitable<void> serve(beast::tcp_stream stream);
  asio::awaitable<bool> serve_one(beast::tcp_stream& stream, beast::flat_buffer& buffer);

  ServerOptions options;
  Handler handler;
  asio::io_context io{1};
  tcp::acceptor acceptor{io};
  asio::thread_pool pool;
  std::set<beast::tcp_stream*> connections;  // of the I/O thread
  bool stopping = false;                     // of the I/O thread
  std::thread thread;
};

asio::awaitable<void> Server::State::accept() {
  for (;;) {
    boost::system::error_code error;
    auto socket = co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
    if (stopping || error == asio::error::operation_aborted) co_return;
    if (error) {  // out of descriptors, most likely: let some be closed first
      asio::steady_timer pause{io, 100ms};
      co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
      continue;
    }
    if (connections.size() >= options.max_connections) continue;  // closed at once
    asio::co_spawn(io, serve(beast::tcp_stream{std::move(socket)}), asio::detached);
  }
}

asio::awaitable<void> Server::State::serve(beast::tcp_stream stream) {
  connections.insert(&stream);
  beast::flat_buffer buffer;
  try {
    while (!stopping) {
      const bool again = co_await serve_one(stream, buffer);
      if (!again) break;
    }
  } catch (const boost::system::system_error&) {
    // The other side is gone, or took too long.
  }
  connections.erase(&stream);
}

asio::awaitable<bool> Server::State::serve_one(beast::tcp_stream& stream,
                                               beast::flat_buffer& buffer) {
  Parser parser;
  parser.header_limit(kMaxHeaderBytes);
  parser.body_limit(options.max_body_bytes);
  stream.expires_after(kPatience);
  boost::system::error_code error;
  co_await beast::http::async_read(stream, buffer, parser,
                                   asio::redirect_error(asio::use_awaitable, error));
  Response response;
  Request request;
  bool keep = false;
  if (error == beast::http::error::body_limit || error == beast::http::error::header_limit) {
    response = {413, "", "text/plain", {}};
  } else if (error && !parser.got_some()) {
    co_return false;
  } else if (error || !translate(parser, request)) {
    response = {400, "", "text/plain", {}};
  } else {
    keep = parser.keep_alive();
    request.remote_address = stream.socket().remote_endpoint().address().to_string();
    stream.expires_never();
    auto answer = handle(handler, std::move(request));
    response = co_await asio::co_spawn(pool.get_executor(), std::move(answer), asio::use_awaitable);
  }
  auto out = translate(std::move(response), parser.get().version(), keep && !stopping);
  stream.expires_after(kPatience);
  co_await beast::http::async_write(stream, out, asio::use_awaitable);
  co_return keep && !stopping;
}

Server::Server(const ServerOptions& options, Handler handler)
    : state_(std::make_unique<State>(options, std::move(handler))) {
  try {
    const tcp::endpoint endpoint{asio::ip::make_address(options.address), options.port};
    state_->acceptor.open(endpoint.protocol());
    state_->acceptor.set_option(tcp::acceptor::reuse_address(true));
    state_->acceptor.bind(endpoint);
    state_->acceptor.listen();
  } catch (const boost::system::system_error& error) {
    throw std::runtime_error(fmt::format("cannot serve HTTP on {}:{}: {}", options.address,
                                         options.port, error.code().message()));
  }
  asio::co_spawn(state_->io, state_->accept(), asio::detached);
  state_->thread = std::thread([state = state_.get()] { state->io.run(); });
}

Server::~Server() { stop(); }

std::uint16_t Server::port() const { return state_->acceptor.local_endpoint().port(); }

void Server::stop() {
  if (!state_->thread.joinable()) return;
  asio::post(state_->io, [state = state_.get()] {
    state->stopping = true;
    boost::system::error_code ignored;
    state->acceptor.close(ignored);
    for (auto* stream : state->connections) stream->cancel();
  });
  state_->thread.join();
  state_->pool.join();
}

}  // namespace hub::http
