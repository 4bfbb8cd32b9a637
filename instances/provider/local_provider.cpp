#include "instances/provider/local_provider.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "instances/provider/basic_provider.h"
#include "instances/provider/namespaces.h"
#include "instances/provider/network.h"
#include "instances/provider/requirements.h"

namespace hub::instances {
namespace {

using Next = ProviderError::Next;

class LocalProvider final : public BasicProvider {
 public:
  explicit LocalProvider(const ProviderOptions& options)
      : BasicProvider(options), network_(options.installation) {}

  [[nodiscard]] Isolation isolation() const override { return Isolation::namespaces; }
  [[nodiscard]] std::vector<std::string> notes() const override { return processes_.notes(); }

  void ensure_vpc(const VpcSpec& spec) override {
    exclusively(spec.vpc_id, [&] { network_.ensure_vpc(spec.vpc_id); });
  }

  void ensure_subnet(const SubnetSpec& spec) override {
    exclusively(spec.subnet_id, [&] { network_.ensure_subnet(spec); });
  }

  Ipv4 ensure_port(const PortSpec& spec) override {
    exclusively(spec.instance_id, [&] { network_.ensure_port(spec); });
    return spec.address;
  }

  FileDescriptor dial(const std::string& instance_id, std::uint16_t tcp_port,
                      std::chrono::milliseconds timeout) override {
    const auto address = network_.address(instance_id);
    FileDescriptor socket;
    {
      // A socket stays in the namespace that it was made in.
      const NamespaceScope inside(network_.port_namespace(instance_id));
      socket = FileDescriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    }
    if (!socket) throw ProviderError(Next::retry, std::string("socket: ") + std::strerror(errno));
    connect_within(socket, address, tcp_port, timeout);
    return socket;
  }

  void remove(ResourceKind kind, const std::string& id) override {
    exclusively(id, [&] {
      switch (kind) {
        case ResourceKind::vpc:
          for (const auto& endpoint : processes_.endpoints_of_vpc(id))
            processes_.remove(ResourceKind::endpoint, endpoint);
          return network_.remove_vpc(id);
        case ResourceKind::subnet:
          return network_.remove_subnet(id);
        case ResourceKind::port:
          return network_.remove_port(id);
        case ResourceKind::database:
        case ResourceKind::hub:
        case ResourceKind::endpoint:
          return processes_.remove(kind, id);
      }
    });
  }

  [[nodiscard]] std::vector<Owned> list() const override {
    auto owned = network_.list();
    for (auto& one : processes_.list()) owned.push_back(std::move(one));
    return owned;
  }

 private:
  [[nodiscard]] Placement place(const std::string& instance_id) const override {
    return {namespace_file(network_.port_namespace(instance_id)), network_.address(instance_id)};
  }

  [[nodiscard]] Placement place_forwarder(const EndpointSpec& spec) const override {
    if (!namespace_exists(network_.vpc_namespace(spec.vpc_id)))
      throw ProviderError(Next::retry, "endpoint " + spec.endpoint_id + ": its VPC " + spec.vpc_id +
                                           " is not on this machine");
    return {namespace_file(network_.vpc_namespace(spec.vpc_id)),
            network_.address(spec.instance_id)};
  }

  Network network_;
};

}  // namespace

std::unique_ptr<Provider> make_local_provider(const ProviderOptions& options) {
  const auto missing = missing_for_isolation();
  if (!missing.empty()) {
    std::string text = "instances cannot be isolated here: ";
    for (const auto& sentence : missing) text += sentence + "; ";
    throw ProviderError(Next::give_up,
                        text + "or choose --provider process, which isolates nothing");
  }
  return std::make_unique<LocalProvider>(options);
}

}  // namespace hub::instances
