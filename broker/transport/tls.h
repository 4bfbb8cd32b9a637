#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "broker/transport/filter.h"

namespace hub::broker {

// How a listener speaks TLS; docs/listeners.md explains each.
struct TlsOptions {
  struct Certificate {
    std::filesystem::path certificate;  // PEM: the server's, then those that lead to its CA
    std::filesystem::path key;          // PEM, not encrypted
  };
  enum class ClientCertificates : std::uint8_t { none, optional, required };
  enum class Version : std::uint8_t { tls_1_2, tls_1_3 };

  // A client that names a server gets the first that is for that name, any other the first of all.
  std::vector<Certificate> certificates;
  ClientCertificates client_certificates = ClientCertificates::none;
  std::filesystem::path client_ca;   // PEM: who may sign those of clients
  std::filesystem::path client_crl;  // PEM: which of them are revoked; empty: none is
  std::filesystem::path psk_file;    // lines "identity:key in hex"; empty: no pre-shared keys
  Version min_version = Version::tls_1_2;
  std::string ciphers;             // of TLS 1.2, as OpenSSL names them; empty: OpenSSL's choice
  std::string ciphersuites;        // of TLS 1.3
  bool carries_websocket = false;  // and no MQTT as such
};

// What a listener's TLS connections share: certificates, keys, tickets. Immutable and thread-safe:
// one serves all shards, and connections may outlive it.
class TlsContext {
 public:
  // `before`: the one that this one replaces, or null. Its clients resume their sessions here,
  // unless they have certificates or pre-shared keys: those are looked at anew. A certificate of
  // the server that has expired meanwhile is no mistake then, but a warning.
  // Throws std::runtime_error that names the file, the reason and the way out.
  TlsContext(const TlsOptions& options, const TlsContext* before);

  // The server's end of a new connection.
  [[nodiscard]] std::unique_ptr<Filter> accept() const;

  // When the first of its certificates ends to be valid; the maximum when it has none.
  [[nodiscard]] std::chrono::system_clock::time_point expires_at() const noexcept {
    return expires_at_;
  }
  // Not wrong, but to be told: a certificate that soon expires, a revocation list that is old.
  [[nodiscard]] const std::vector<std::string>& warnings() const noexcept { return warnings_; }

 private:
  struct Parts;
  std::shared_ptr<const Parts> parts_;
  std::chrono::system_clock::time_point expires_at_;
  std::vector<std::string> warnings_;
};

}  // namespace hub::broker
