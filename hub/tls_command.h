#pragma once

#include <ostream>
#include <string>
#include <vector>

namespace hub {

// Of `iothub tls init`.
struct TlsInitArguments {
  std::string directory = "tls";
  std::vector<std::string> names;    // of the server; empty: this machine's
  std::vector<std::string> devices;  // client ids that get a certificate, too
};

// Makes a private CA, unless the directory has one, a certificate for the server, and those of
// devices; writes to `out` where they are, and how they are used. Returns the exit status. Throws
// as CertificateAuthority, and UsageError for a device whose name no file can have.
int run_tls_init(const TlsInitArguments& arguments, std::ostream& out);

}  // namespace hub
