#pragma once

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace hub {

// How the commands beside a running hub ask it: a Unix socket `control` in its data directory, for
// the hub's own user and root. A question is one line, the answer is text up to the end of the
// stream.
class ControlSocket {
 public:
  // Gives the answer to a question, without its end of line; called on the io_context's thread.
  using Answer = std::function<std::string(std::string_view question)>;

  // Listens at once, in the place of a hub that is gone: the caller holds the directory's lock.
  // Throws std::runtime_error when it cannot.
  ControlSocket(boost::asio::io_context& io, const std::filesystem::path& data_dir, Answer answer);
  ~ControlSocket();
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// Asks the hub that runs on that data directory; blocking, ten seconds at most. Nothing when none
// runs. Throws std::runtime_error when it does not answer, or may not be asked.
[[nodiscard]] std::optional<std::string> ask_hub(const std::filesystem::path& data_dir,
                                                 std::string_view question);

}  // namespace hub
