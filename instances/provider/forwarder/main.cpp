// iothub-forwarder: what listens on the public port of an endpoint, and passes each connection on
// to an instance. Run by iothub-keeper, with the listening socket as descriptor 3.

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <grp.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include "instances/provider/forwarder/forwarder.h"

namespace {

using hub::instances::Forwarder;
using hub::instances::ForwarderOptions;

constexpr int kListener = 3;
constexpr unsigned kMostThreads = 4;

struct Arguments {
  ForwarderOptions forwarder;
  uid_t user = 0;  // to become, keeping CAP_NET_RAW; 0: stay
};

template <class T>
T to_number(const std::string& text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size())
    throw std::invalid_argument("\"" + text + "\" is no number");
  return value;
}

sockaddr_in to_target(const std::string& text) {
  const auto colon = text.find(':');
  sockaddr_in target{};
  target.sin_family = AF_INET;
  if (colon == std::string::npos ||
      ::inet_pton(AF_INET, text.substr(0, colon).c_str(), &target.sin_addr) != 1)
    throw std::invalid_argument("\"" + text + "\" is no ADDRESS:PORT");
  target.sin_port = htons(to_number<std::uint16_t>(text.substr(colon + 1)));
  return target;
}

Arguments parse(const std::vector<std::string>& words) {
  Arguments arguments;
  if (words.empty()) throw std::invalid_argument("no ADDRESS:PORT");
  arguments.forwarder.target = to_target(words[0]);
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (words[i] == "--transparent") {
      arguments.forwarder.transparent = true;
    } else if (words[i] == "--user" && i + 1 < words.size()) {
      arguments.user = to_number<uid_t>(words[++i]);
    } else {
      throw std::invalid_argument("unknown argument " + words[i]);
    }
  }
  return arguments;
}

// What it needs of root's powers: to connect in a client's name.
void drop_privileges(uid_t user) {
  const auto check = [](bool good, const char* what) {
    if (!good) throw std::system_error(errno, std::generic_category(), what);
  };
  if (user == 0) return;
  check(::prctl(PR_SET_KEEPCAPS, 1) == 0, "keeping CAP_NET_RAW");
  check(::setgroups(0, nullptr) == 0, "dropping groups");
  check(::setresgid(user, user, user) == 0, "taking on the group");
  check(::setresuid(user, user, user) == 0, "taking on the user");
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> sets{};
  sets[0].effective = sets[0].permitted = 1U << CAP_NET_RAW;
  check(::syscall(SYS_capset, &header, sets.data()) == 0, "keeping only CAP_NET_RAW");
  // The change of user cleared it; without, this process would outlive its keeper.
  check(::prctl(PR_SET_PDEATHSIG, SIGTERM) == 0, "tying it to its keeper");
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const auto arguments = parse({argv + 1, argv + argc});
    if (::fcntl(kListener, F_SETFL, O_NONBLOCK) != 0)
      throw std::invalid_argument("descriptor 3 is no listening socket");
    drop_privileges(arguments.user);
    const auto serve = [&] { Forwarder(arguments.forwarder, kListener).run(); };
    std::vector<std::jthread> others;
    const auto threads = std::clamp(std::thread::hardware_concurrency(), 1U, kMostThreads);
    for (unsigned i = 1; i < threads; ++i) others.emplace_back(serve);
    serve();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "iothub-forwarder: %s; it is run by iothub-keeper\n", error.what());
    return 2;
  }
}
