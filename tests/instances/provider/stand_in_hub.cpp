// Stands in for `iothub serve --config FILE` in the provider's tests. The file says what it does:
//
//   greeting TEXT      says "TEXT ADDRESS PORT\n" to each client, then echoes: the client's own
//   listen PORT        on all addresses
//   exit CODE          ends at once
//   say TEXT           writes a line to standard error
//   ignore-sigterm
//   child              starts a process that sleeps, and says "child PID"

#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace {

void serve_client(int client, sockaddr_in peer, const std::string& greeting) {
  const auto text = greeting + " " + ::inet_ntoa(peer.sin_addr) + " " +
                    std::to_string(ntohs(peer.sin_port)) + "\n";
  ::send(client, text.data(), text.size(), MSG_NOSIGNAL);
  std::vector<char> buffer(65536);
  for (;;) {
    const auto count = ::recv(client, buffer.data(), buffer.size(), 0);
    if (count <= 0) break;
    for (ssize_t sent = 0; sent < count;) {
      const auto more = ::send(client, buffer.data() + sent, static_cast<std::size_t>(count - sent),
                               MSG_NOSIGNAL);
      if (more <= 0) break;
      sent += more;
    }
  }
  ::close(client);
}

[[noreturn]] void serve(std::uint16_t port, const std::string& greeting) {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener, 4096) != 0) {
    std::perror("stand-in: listen");
    std::exit(4);
  }
  for (;;) {
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    const int client = ::accept(listener, reinterpret_cast<sockaddr*>(&peer), &size);
    if (client >= 0) std::thread(serve_client, client, peer, greeting).detach();
  }
}

void start_child() {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::setsid();
    for (;;) ::pause();
  }
  std::fprintf(stderr, "child %d\n", pid);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  std::ifstream file(argv[3]);
  if (!file) {
    std::perror(argv[3]);
    return 3;
  }
  std::string greeting = "hello";
  int port = 0;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string word;
    words >> word;
    std::string rest;
    std::getline(words >> std::ws, rest);
    if (word == "greeting") greeting = rest;
    if (word == "listen") port = std::stoi(rest);
    if (word == "exit") return std::stoi(rest);
    if (word == "say") std::fprintf(stderr, "%s\n", rest.c_str());
    if (word == "ignore-sigterm") ::signal(SIGTERM, SIG_IGN);
    if (word == "child") start_child();
  }
  if (port != 0) serve(static_cast<std::uint16_t>(port), greeting);
  for (;;) ::pause();
}
