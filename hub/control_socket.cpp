#include "hub/control_socket.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "base/file_descriptor.h"

namespace hub {
namespace {

namespace asio = boost::asio;
using Local = asio::local::stream_protocol;

constexpr const char* kName = "control";
constexpr std::size_t kMaxQuestionBytes = 256;
constexpr int kPatienceSeconds = 10;

// A Unix socket's path is short and that of a directory need not be: the kernel looks it up by the
// directory's descriptor.
class SocketPath {
 public:
  explicit SocketPath(const std::filesystem::path& directory)
      : directory_(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) {}
  [[nodiscard]] bool valid() const { return directory_.get() >= 0; }
  [[nodiscard]] std::string path() const {
    return fmt::format("/proc/self/fd/{}/{}", directory_.get(), kName);
  }

 private:
  FileDescriptor directory_;
};

[[noreturn]] void fail(const std::filesystem::path& data_dir, const std::string& why) {
  throw std::runtime_error(fmt::format("{}: {}", (data_dir / kName).string(), why));
}

// One question and its answer. Owns itself by the handlers that wait.
struct Talk : std::enable_shared_from_this<Talk> {
  Talk(Local::socket accepted, ControlSocket::Answer make)
      : socket(std::move(accepted)), answer(std::move(make)) {}

  void start() {
    asio::async_read_until(
        socket, asio::dynamic_buffer(text, kMaxQuestionBytes), '\n',
        [self = shared_from_this()](const boost::system::error_code& error, std::size_t bytes) {
          if (error) return;
          self->text = self->answer(std::string_view(self->text).substr(0, bytes - 1));
          asio::async_write(self->socket, asio::buffer(self->text),
                            [self](const boost::system::error_code&, std::size_t) {});
        });
  }

  Local::socket socket;
  ControlSocket::Answer answer;
  std::string text;
};

}  // namespace

struct ControlSocket::State : std::enable_shared_from_this<State> {
  State(asio::io_context& io, Answer make) : acceptor(io), answer(std::move(make)) {}

  void accept() {
    acceptor.async_accept(
        [self = shared_from_this()](const boost::system::error_code& error, Local::socket socket) {
          if (error) return;
          std::make_shared<Talk>(std::move(socket), self->answer)->start();
          self->accept();
        });
  }

  Local::acceptor acceptor;
  Answer answer;
};

ControlSocket::ControlSocket(asio::io_context& io, const std::filesystem::path& data_dir,
                             Answer answer)
    : state_(std::make_shared<State>(io, std::move(answer))) {
  const SocketPath place(data_dir);
  try {
    if (!place.valid()) fail(data_dir, std::strerror(errno));
    ::unlink(place.path().c_str());
    state_->acceptor.open();
    ::fchmod(state_->acceptor.native_handle(), 0600);  // before bind(): it is the file's mode
    state_->acceptor.bind(place.path());
    state_->acceptor.listen();
  } catch (const boost::system::system_error& error) {
    fail(data_dir, error.code().message());
  }
  state_->accept();
}

ControlSocket::~ControlSocket() {
  boost::system::error_code ignored;
  state_->acceptor.close(ignored);
}

std::optional<std::string> ask_hub(const std::filesystem::path& data_dir,
                                   std::string_view question) {
  const SocketPath place(data_dir);
  if (!place.valid()) return std::nullopt;
  asio::io_context io;
  Local::socket socket(io);
  boost::system::error_code error;
  socket.connect(place.path(), error);
  if (error == boost::system::errc::no_such_file_or_directory ||
      error == boost::system::errc::connection_refused) {
    return std::nullopt;
  }
  if (error) fail(data_dir, error.message());
  const timeval patience{kPatienceSeconds, 0};
  ::setsockopt(socket.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const std::string line = std::string(question) + "\n";
  if (::send(socket.native_handle(), line.data(), line.size(), MSG_NOSIGNAL) < 0) {
    fail(data_dir, std::strerror(errno));
  }
  std::string answer;
  for (char piece[4096];;) {
    const ssize_t bytes = ::recv(socket.native_handle(), piece, sizeof piece, 0);
    if (bytes == 0) return answer;
    if (bytes < 0) fail(data_dir, "the hub does not answer");
    answer.append(piece, static_cast<std::size_t>(bytes));
  }
}

}  // namespace hub
