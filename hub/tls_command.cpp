#include "hub/tls_command.h"

#include <fmt/format.h>
#include <fmt/ostream.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include "hub/certificate_authority.h"
#include "hub/command_line.h"

namespace hub {
namespace {

std::vector<std::string> names_of_this_machine() {
  std::array<char, 256> name{};
  std::vector<std::string> names{"localhost", "127.0.0.1", "::1"};
  if (::gethostname(name.data(), name.size() - 1) == 0 && name[0] != '\0' &&
      std::string_view{name.data()} != "localhost") {
    names.emplace_back(name.data());
  }
  return names;
}

// A client id becomes the name of a file.
std::string stem_of(const std::string& id) {
  if (id.empty() || id.starts_with('.') || id.find('/') != std::string::npos || id == "ca" ||
      id == "server") {
    throw UsageError(
        fmt::format("--device {}: a name that a file can have, and neither ca nor "
                    "server, is expected",
                    id));
  }
  return id;
}

}  // namespace

int run_tls_init(const TlsInitArguments& arguments, std::ostream& out) {
  for (const std::string& device : arguments.devices) (void)stem_of(device);
  const CertificateAuthority authority{std::filesystem::absolute(arguments.directory)};
  const std::string ca = authority.certificate().string();
  fmt::print(out, "{} {}\n",
             authority.is_new() ? "made the CA        " : "the CA is there:   ", ca);
  const auto names = arguments.names.empty() ? names_of_this_machine() : arguments.names;
  std::string device_options;
  if (arguments.devices.empty() || authority.is_new() || !arguments.names.empty()) {
    const auto server = authority.make_server("server", names);
    fmt::print(out, "made the server's   {}, for {}\n", server.certificate.string(),
               fmt::join(names, ", "));
    fmt::print(out,
               "\nIn the configuration file:\n\n"
               "  [[listener]]\n  address = \"0.0.0.0\"\n  port = 8883\n"
               "  allow_anonymous = true          # or, in its place: client_certificates below\n"
               "  [listener.tls]\n  certificate = \"{}\"\n  key = \"{}\"\n"
               "  # client_certificates = \"required\"\n  # client_ca = \"{}\"\n\n",
               server.certificate.string(), server.key.string(), ca);
  }
  for (const std::string& device : arguments.devices) {
    const auto pair = authority.make_device(stem_of(device), device);
    fmt::print(out, "made a device's     {}\n", pair.certificate.string());
    device_options =
        fmt::format(" --cert {} --key {}", pair.certificate.string(), pair.key.string());
  }
  fmt::print(out, "Then, from a device that has {}:\n\n", ca);
  fmt::print(out,
             "  mosquitto_pub --cafile {}{} -h {} -p 8883 -q 1 -t telemetry/d1 -m '{{\"n\":1}}'\n",
             ca, device_options, names.front());
  return kSuccess;
}

}  // namespace hub
