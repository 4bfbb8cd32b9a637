#include "http/client.h"

#include <fmt/format.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <stdexcept>

namespace hub::http {

namespace asio = boost::asio;
namespace beast = boost::beast;

Response call(const std::string& host, std::uint16_t port, const Request& request,
              std::chrono::seconds timeout) {
  asio::io_context io{1};
  beast::tcp_stream stream{io};
  boost::system::error_code failure = asio::error::would_block;
  // Runs one asynchronous operation to its end.
  const auto finish = [&] {
    io.restart();
    io.run();
    if (failure)
      throw std::runtime_error(
          fmt::format("http://{}:{} does not answer: {}", host, port, failure.message()));
  };

  asio::ip::tcp::resolver resolver{io};
  const auto addresses = resolver.resolve(host, std::to_string(port), failure);
  if (failure)
    throw std::runtime_error(fmt::format("{} cannot be found: {}", host, failure.message()));
  stream.expires_after(timeout);
  stream.async_connect(addresses, [&](auto error, const auto&) { failure = error; });
  finish();

  beast::http::request<beast::http::string_body> message{
      beast::http::string_to_verb(request.method), request.path, 11};
  message.set(beast::http::field::host, fmt::format("{}:{}", host, port));
  if (!request.body.empty()) message.set(beast::http::field::content_type, "application/json");
  for (const auto& [name, value] : request.headers) message.set(name, value);
  message.body() = request.body;
  message.prepare_payload();
  beast::http::async_write(stream, message, [&](auto error, std::size_t) { failure = error; });
  finish();

  beast::flat_buffer buffer;
  beast::http::response<beast::http::string_body> answer;
  beast::http::async_read(stream, buffer, answer,
                          [&](auto error, std::size_t) { failure = error; });
  finish();

  Response response{static_cast<int>(answer.result_int()), std::move(answer.body()), "", {}};
  for (const auto& field : answer)
    response.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
  return response;
}

}  // namespace hub::http
