#include "tests/storage/fault_proxy.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <stdexcept>

namespace hub::storage {
namespace {

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  return address;
}

int unix_socket() { return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); }

bool write_all(int to, const char* data, ssize_t bytes) {
  while (bytes > 0) {
    const ssize_t written = send(to, data, static_cast<std::size_t>(bytes), MSG_NOSIGNAL);
    if (written <= 0) return false;
    data += written;
    bytes -= written;
  }
  return true;
}

}  // namespace

FaultProxy::FaultProxy(std::string server_socket) : server_socket_(std::move(server_socket)) {
  std::string pattern = std::filesystem::temp_directory_path() / "iothub-proxy-XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  directory_ = pattern;
  listener_ = unix_socket();
  const sockaddr_un address = address_of(directory_ + "/.s.PGSQL.5432");
  if (bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      listen(listener_, 16) != 0) {
    throw std::runtime_error("cannot listen in " + directory_);
  }
  acceptor_ = std::thread([this] { accept_links(); });
}

FaultProxy::~FaultProxy() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  for (const auto& link : links_) {
    shutdown(link->questions.from, SHUT_RDWR);
    shutdown(link->answers.from, SHUT_RDWR);
    link->questions.pump.join();
    link->answers.pump.join();
    close(link->questions.from);
    close(link->answers.from);
  }
  close(listener_);
  std::filesystem::remove_all(directory_);
}

std::string FaultProxy::url(std::string_view database) const {
  return fmt::format("postgresql:///{}?host={}&user=hub", database, directory_);
}

void FaultProxy::accept_links() {
  for (;;) {
    const int writer = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (writer < 0) return;
    const int server = unix_socket();
    const sockaddr_un address = address_of(server_socket_);
    if (connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      close(server);
      close(writer);
      continue;
    }
    const std::lock_guard lock(mutex_);
    links_.push_back(std::make_unique<Link>());
    Link& link = *links_.back();
    link.questions.from = link.answers.to = writer;
    link.questions.to = link.answers.from = server;
    link.questions.pump = std::thread([this, &link] { pump(link.questions); });
    link.answers.pump = std::thread([this, &link] { pump(link.answers); });
  }
}

void FaultProxy::pump(Way& way) {
  std::vector<char> buffer(65536);
  for (;;) {
    const ssize_t bytes = recv(way.from, buffer.data(), buffer.size(), 0);
    {
      std::unique_lock lock(mutex_);
      const std::string_view piece(buffer.data(), bytes > 0 ? static_cast<std::size_t>(bytes) : 0);
      if (way.armed && piece.find(way.text) != std::string_view::npos) way.holding = true;
      changed_.wait(lock, [&] { return !way.holding || ending_; });
    }
    if (bytes <= 0 || !write_all(way.to, buffer.data(), bytes)) break;
  }
  shutdown(way.to, SHUT_WR);
}

void FaultProxy::hold(Way Link::* way, std::string_view text) {
  const std::lock_guard lock(mutex_);
  for (const auto& link : links_) {
    (*link.*way).armed = true;
    (*link.*way).text = text;
  }
}

void FaultProxy::hold_questions(std::string_view text) { hold(&Link::questions, text); }
void FaultProxy::hold_answers(std::string_view text) { hold(&Link::answers, text); }

void FaultProxy::release() {
  {
    const std::lock_guard lock(mutex_);
    for (const auto& link : links_) {
      for (Way* way : {&link->questions, &link->answers}) way->armed = way->holding = false;
    }
  }
  changed_.notify_all();
}

bool FaultProxy::holds() {
  const std::lock_guard lock(mutex_);
  return std::any_of(links_.begin(), links_.end(), [](const auto& link) {
    return link->questions.holding || link->answers.holding;
  });
}

void FaultProxy::cut() {
  const std::lock_guard lock(mutex_);
  for (const auto& link : links_) shutdown(link->questions.from, SHUT_RDWR);
}

}  // namespace hub::storage
