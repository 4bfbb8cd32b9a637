#include "tests/instances/provider/machine.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <optional>
#include <random>

#include "instances/provider/local_provider.h"
#include "instances/provider/namespaces.h"
#include "instances/provider/process_handle.h"
#include "instances/provider/program.h"
#include "instances/provider/requirements.h"
#include "instances/provider/unit_files.h"

namespace hub::instances::testing {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

template <class Call>
auto inside(const std::string& name, Call&& call) {
  std::optional<NamespaceScope> scope;
  if (!name.empty()) scope.emplace(name);
  return call();
}

sockaddr_in socket_address(const std::string& address, std::uint16_t port) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_port = htons(port);
  ::inet_pton(AF_INET, address.c_str(), &result.sin_addr);
  return result;
}

std::string random_name() {
  std::random_device random;
  return fmt::format("t{:07x}", random() & 0xfffffff);
}

}  // namespace

DataFolder::DataFolder() {
  std::string path = "/tmp/iothub-provider-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) std::abort();
  path_ = path;
  fs::permissions(path_, fs::perms::owner_all | fs::perms::group_exec | fs::perms::others_exec);
}

DataFolder::~DataFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

FileDescriptor listen_in(const std::string& name, std::uint16_t port) {
  return inside(name, [&] {
    FileDescriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto address = socket_address("0.0.0.0", port);
    EXPECT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(socket.get(), 16), 0);
    return socket;
  });
}

Connected connect_from(const std::string& name, const std::string& address, std::uint16_t port) {
  Connected result;
  result.socket = inside(name, [&] {
    return FileDescriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  });
  const auto target = socket_address(address, port);
  if (::connect(result.socket.get(), reinterpret_cast<const sockaddr*>(&target), sizeof target) !=
      0) {
    result.error = errno;
    if (errno == EINPROGRESS) {
      pollfd polled{result.socket.get(), POLLOUT, 0};
      socklen_t size = sizeof result.error;
      if (::poll(&polled, 1, 2000) != 1) {
        result.error = ETIMEDOUT;
      } else {
        ::getsockopt(result.socket.get(), SOL_SOCKET, SO_ERROR, &result.error, &size);
      }
    }
  }
  ::fcntl(result.socket.get(), F_SETFL, 0);
  const timeval limit{10, 0};
  ::setsockopt(result.socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  return result;
}

std::string read_line(const FileDescriptor& socket) {
  std::string line;
  for (char c = 0; ::recv(socket.get(), &c, 1, 0) == 1 && c != '\n';) line += c;
  return line;
}

bool echoes(const FileDescriptor& socket) {
  return ::send(socket.get(), "ping\n", 5, MSG_NOSIGNAL) == 5 && read_line(socket) == "ping";
}

bool can_ping(const std::string& name, const std::string& address) {
  return inside(name, [&] {
    return run_program({{"ping", "-c", "1", "-W", "1", address}, {}}).exit_code == 0;
  });
}

bool is_running(int pid) { return start_time(pid).has_value(); }

std::vector<int> processes_of(const ProviderOptions& options) {
  std::vector<int> pids;
  for (const auto& name : namespaces_with_prefix(options.installation + "-"))
    for (const auto pid : processes_in_namespace(name)) pids.push_back(pid);
  for (const auto pid : all_processes()) {
    const auto command = read_file(fmt::format("/proc/{}/cmdline", pid)).value_or("");
    if (command.find(options.data_dir.string()) != std::string::npos) pids.push_back(pid);
  }
  return pids;
}

void Machine::SetUp() {
  const auto missing = missing_for_isolation();
  ASSERT_TRUE(missing.empty()) << "these tests need root and network namespaces: "
                               << missing.front();
  ASSERT_EQ(::unshare(CLONE_NEWNET), 0);
  options_.installation = random_name();
  options_.data_dir = data_.path() / "data";
  options_.program = fs::read_symlink("/proc/self/exe").parent_path() / "provider_stand_in_hub";
  options_.public_host = kHostAddress;
  client_ = options_.installation + "-client";
  ensure_namespace(client_);
  require_program({{"ip", "-batch", "-"},
                   fmt::format("link set lo up\n"
                               "link add outside type veth peer name eth0 netns {0}\n"
                               "address add {1}/24 dev outside\n"
                               "link set outside up\n",
                               client_, kHostAddress)},
                  "the host's interface");
  inside(client_, [] {
    return require_program(
        {{"ip", "-batch", "-"},
         fmt::format("address add {}/24 dev eth0\nlink set eth0 up\n", kClientAddress)},
        "the client's interface");
  });
  provider_ = make_local_provider(options_);
}

void Machine::TearDown() {
  if (!provider_) return;
  remove_everything();
  expect_nothing_is_left();
  provider_.reset();
  remove_namespace(client_);
}

void Machine::restart_provider() {
  provider_.reset();
  provider_ = make_local_provider(options_);
}

void Machine::remove_everything() {
  // In any order but this a removal could find what it needs gone; the control plane's order.
  for (const auto kind : {ResourceKind::endpoint, ResourceKind::hub, ResourceKind::database,
                          ResourceKind::port, ResourceKind::subnet, ResourceKind::vpc})
    for (const auto& owned : provider_->list())
      if (owned.kind == kind) provider_->remove(owned.kind, owned.id);
}

void Machine::expect_nothing_is_left() const {
  EXPECT_TRUE(provider_->list().empty());
  EXPECT_TRUE(namespaces_with_prefix(options_.installation + "-v").empty());
  EXPECT_TRUE(namespaces_with_prefix(options_.installation + "-p").empty());
  EXPECT_EQ(processes_of(options_), std::vector<int>{});
  for (const auto* kind : {"databases", "hubs", "endpoints"})
    EXPECT_TRUE(fs::is_empty(options_.data_dir / kind)) << kind;
  for (const auto* controller : {"", "memory", "blkio"})
    EXPECT_FALSE(fs::exists(fs::path("/sys/fs/cgroup") / controller / options_.installation));
  // The host: its two interfaces, and no rule of anybody's.
  const auto links = require_program({{"ip", "-brief", "link"}, {}}, "links");
  EXPECT_EQ(std::count(links.begin(), links.end(), '\n'), 2) << links;
  EXPECT_EQ(require_program({{"nft", "list", "ruleset"}, {}}, "rules"), "");
}

void Machine::make_vpc(const std::string& letter, const std::string& prefix) {
  provider_->ensure_vpc({"vpc-" + letter});
  const auto cidr = *parse_cidr(prefix);
  provider_->ensure_subnet({"subnet-" + letter, "vpc-" + letter, cidr, {cidr.network.bits + 1}});
}

void Machine::make_port(const std::string& instance_id, const std::string& letter,
                        const std::string& address, std::vector<TrafficRule> rules) {
  provider_->ensure_port(
      {instance_id, "vpc-" + letter, "subnet-" + letter, *parse_ipv4(address), std::move(rules)});
}

void Machine::make_hub(const std::string& instance_id, const std::string& greeting) {
  provider_->ensure_hub({instance_id, "greeting " + greeting + "\nlisten 1883\n", 0});
  // It serves once it listens, and dial() tells.
  ASSERT_TRUE(eventually([&] {
    try {
      return static_cast<bool>(provider_->dial(instance_id, 1883, 1s));
    } catch (const ProviderError&) {
      return false;
    }
  }));
}

Endpoint Machine::make_endpoint(const std::string& letter, const std::string& instance_id,
                                std::uint16_t public_port) {
  return provider_->ensure_endpoint(
      {fmt::format("end-{}", public_port), public_port, "vpc-" + letter, instance_id, 1883});
}

std::string Machine::port_namespace(const std::string& instance_id) const {
  return Network(options_.installation).port_namespace(instance_id);
}

std::string Machine::greeting_for(const std::string& name, const std::string& address,
                                  std::uint16_t port) const {
  const auto connected = connect_from(name, address, port);
  return connected.error == 0 ? read_line(connected.socket) : std::string();
}

TrafficRule allow(Direction direction, Protocol protocol, std::uint16_t from, std::uint16_t to,
                  const std::string& peer) {
  return {direction, protocol, *parse_cidr(peer), from, to == 0 ? from : to};
}

std::vector<TrafficRule> allow_all() {
  return {allow(Direction::inbound, Protocol::all), allow(Direction::outbound, Protocol::all)};
}

}  // namespace hub::instances::testing
