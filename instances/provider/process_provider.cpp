#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <mutex>
#include <set>

#include "instances/provider/basic_provider.h"
#include "instances/provider/fingerprint.h"
#include "instances/provider/local_provider.h"
#include "instances/provider/unit_files.h"

namespace hub::instances {
namespace {

namespace fs = std::filesystem;
using Next = ProviderError::Next;

// Networks that are only written down: a file per VPC, subnet and port in the data directory.
class ProcessProvider final : public BasicProvider {
 public:
  explicit ProcessProvider(const ProviderOptions& options) : BasicProvider(options) {
    for (const auto kind : {ResourceKind::vpc, ResourceKind::subnet, ResourceKind::port})
      fs::create_directories(folder(kind));
  }

  [[nodiscard]] Isolation isolation() const override { return Isolation::none; }

  [[nodiscard]] std::vector<std::string> notes() const override {
    auto notes = processes_.notes();
    notes.insert(notes.begin(),
                 "no isolation: VPCs, subnets and security groups are written down and not "
                 "enforced, and every process of this machine can reach every instance");
    return notes;
  }

  void ensure_vpc(const VpcSpec& spec) override { write_down(ResourceKind::vpc, spec.vpc_id, ""); }

  void ensure_subnet(const SubnetSpec& spec) override {
    write_down(ResourceKind::subnet, spec.subnet_id, spec.vpc_id);
  }

  Ipv4 ensure_port(const PortSpec& spec) override {
    return exclusively(spec.instance_id, [&] {
      const std::lock_guard guard(addresses_);
      if (const auto known = address(spec.instance_id)) return *known;
      const auto chosen = free_address(spec.instance_id);
      replace_file(folder(ResourceKind::port) / spec.instance_id, chosen.to_string(), 0600);
      return chosen;
    });
  }

  FileDescriptor dial(const std::string& instance_id, std::uint16_t tcp_port,
                      std::chrono::milliseconds timeout) override {
    FileDescriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket) throw ProviderError(Next::retry, std::string("socket: ") + std::strerror(errno));
    connect_within(socket, place(instance_id).address, tcp_port, timeout);
    return socket;
  }

  void remove(ResourceKind kind, const std::string& id) override {
    exclusively(id, [&] {
      switch (kind) {
        case ResourceKind::vpc:
          for (const auto& endpoint : processes_.endpoints_of_vpc(id))
            processes_.remove(ResourceKind::endpoint, endpoint);
          for (const auto& subnet : written_down(ResourceKind::subnet))
            if (read_file(folder(ResourceKind::subnet) / subnet) == id)
              fs::remove(folder(ResourceKind::subnet) / subnet);
          [[fallthrough]];
        case ResourceKind::subnet:
        case ResourceKind::port:
          fs::remove(folder(kind) / id);
          return;
        case ResourceKind::database:
        case ResourceKind::hub:
        case ResourceKind::endpoint:
          return processes_.remove(kind, id);
      }
    });
  }

  [[nodiscard]] std::vector<Owned> list() const override {
    auto owned = processes_.list();
    for (const auto kind : {ResourceKind::vpc, ResourceKind::subnet, ResourceKind::port})
      for (auto& id : written_down(kind)) owned.push_back({kind, std::move(id)});
    return owned;
  }

 private:
  [[nodiscard]] Placement place(const std::string& instance_id) const override {
    const auto known = address(instance_id);
    if (!known) throw ProviderError(Next::retry, "instance " + instance_id + " has no port");
    return {{}, *known};
  }

  [[nodiscard]] Placement place_forwarder(const EndpointSpec& spec) const override {
    return place(spec.instance_id);
  }

  [[nodiscard]] fs::path folder(ResourceKind kind) const {
    return processes_.data_dir() / (kind == ResourceKind::vpc      ? "vpcs"
                                    : kind == ResourceKind::subnet ? "subnets"
                                                                   : "ports");
  }

  void write_down(ResourceKind kind, const std::string& id, const std::string& text) {
    exclusively(id, [&] { replace_file(folder(kind) / id, text, 0600); });
  }

  [[nodiscard]] std::vector<std::string> written_down(ResourceKind kind) const {
    std::vector<std::string> ids;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder(kind), error)) {
      auto id = entry.path().filename().string();
      if (!id.ends_with(".new")) ids.push_back(std::move(id));
    }
    return ids;
  }

  [[nodiscard]] std::optional<Ipv4> address(const std::string& instance_id) const {
    const auto text = read_file(folder(ResourceKind::port) / instance_id);
    return text ? parse_ipv4(*text) : std::nullopt;
  }

  // One of 127.64.0.0/10: where to begin is the id's, so that two installations rarely meet.
  [[nodiscard]] Ipv4 free_address(const std::string& instance_id) const {
    std::set<Ipv4> taken;
    for (const auto& id : written_down(ResourceKind::port))
      if (const auto known = address(id)) taken.insert(*known);
    auto offset = static_cast<std::uint32_t>(
        stable_hash(instance_id, stable_hash(processes_.data_dir().string())) & 0x3fffff);
    while (taken.contains({0x7f400000 | offset})) offset = (offset + 1) & 0x3fffff;
    return {0x7f400000 | offset};
  }

  std::mutex addresses_;
};

}  // namespace

std::unique_ptr<Provider> make_process_provider(const ProviderOptions& options) {
  return std::make_unique<ProcessProvider>(options);
}

}  // namespace hub::instances
