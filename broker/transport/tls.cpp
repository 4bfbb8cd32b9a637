#include "broker/transport/tls.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <ctime>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "broker/transport/openssl_handles.h"
#include "broker/transport/psk_file.h"
#include "broker/transport/secret_file.h"
#include "broker/transport/tls_filter.h"

namespace hub::broker {
namespace {

using SystemTime = std::chrono::system_clock::time_point;
namespace fs = std::filesystem;

constexpr std::chrono::days kExpiresSoon{30};

// What a client may ask for by ALPN: MQTT as such, or the HTTP in which WebSocket begins.
constexpr std::string_view kMqtt = "\x04mqtt";
constexpr std::string_view kHttp = "\x08http/1.1";

std::string day(SystemTime time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 16> text{};
  (void)std::strftime(text.data(), text.size(), "%Y-%m-%d", &parts);
  return text.data();
}

SystemTime time_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

OpenSsl<BIO> over(const std::string& text) {
  OpenSsl<BIO> bio{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
  if (!bio) throw std::bad_alloc();
  return bio;
}

// The certificates of a PEM file, in its order.
std::vector<OpenSsl<X509>> read_certificates(const fs::path& file) {
  const std::string text = read_file(file);
  const OpenSsl<BIO> bio = over(text);
  std::vector<OpenSsl<X509>> out;
  while (OpenSsl<X509> next{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
    out.push_back(std::move(next));
  }
  ERR_clear_error();
  if (out.empty()) {
    refuse_file(
        file, "holds no certificate; expected PEM, which begins with -----BEGIN CERTIFICATE-----");
  }
  return out;
}

OpenSsl<EVP_PKEY> read_key(const fs::path& file) {
  const std::string text = read_secret_file(file);
  const OpenSsl<BIO> bio = over(text);
  const auto no_passphrase = [](char*, int, int, void*) { return -1; };
  OpenSsl<EVP_PKEY> key{PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr)};
  ERR_clear_error();
  if (key) return key;
  if (text.find("ENCRYPTED") != std::string::npos) {
    refuse_file(file,
                fmt::format("is encrypted, and there is nobody to ask for the passphrase; openssl "
                            "pkey -in {} -out FILE writes it without",
                            file.string()));
  }
  refuse_file(file,
              "holds no private key; expected PEM, which begins with -----BEGIN PRIVATE KEY-----");
}

// once_served: a hub that runs goes on with it, as what else was read anew may be urgent.
void check_validity(const fs::path& file, const X509* certificate, bool once_served,
                    std::vector<std::string>& warnings) {
  const SystemTime now = std::chrono::system_clock::now();
  const SystemTime from = time_of(X509_get0_notBefore(certificate));
  const SystemTime until = time_of(X509_get0_notAfter(certificate));
  if (until <= now) {
    const std::string what = fmt::format("this certificate expired on {}; renew it", day(until));
    if (!once_served) refuse_file(file, what);
    warnings.push_back(fmt::format("{}: {}", file.string(), what));
    return;
  }
  if (from > now) {
    refuse_file(file, fmt::format("this certificate is valid from {} only; is the clock right?",
                                  day(from)));
  }
  if (until < now + kExpiresSoon) {
    warnings.push_back(
        fmt::format("{}: this certificate expires on {}", file.string(), day(until)));
  }
}

int on_alpn(SSL* /*ssl*/, const unsigned char** out, unsigned char* out_size,
            const unsigned char* offered, unsigned offered_size, void* argument) {
  const auto& spoken = *static_cast<const std::string_view*>(argument);
  unsigned char* chosen = nullptr;
  const int found = SSL_select_next_proto(
      &chosen, out_size, reinterpret_cast<const unsigned char*>(spoken.data()),
      static_cast<unsigned>(spoken.size()), offered, offered_size);
  if (found != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_NOACK;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

int verify_mode(TlsOptions::ClientCertificates wanted) {
  switch (wanted) {
    case TlsOptions::ClientCertificates::none:
      break;
    case TlsOptions::ClientCertificates::optional:
      return SSL_VERIFY_PEER;
    case TlsOptions::ClientCertificates::required:
      return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  }
  return SSL_VERIFY_NONE;
}

// Who may sign the certificates of clients, and which of those are revoked.
void trust_clients(SSL_CTX* context, const TlsOptions& options,
                   std::vector<std::string>& warnings) {
  SSL_CTX_set_verify(context, verify_mode(options.client_certificates), nullptr);
  if (options.client_certificates == TlsOptions::ClientCertificates::none) return;
  if (options.client_ca.empty()) {
    throw std::runtime_error(
        "client certificates are asked for, and client_ca does not say who "
        "may have signed them");
  }
  X509_STORE* const store = SSL_CTX_get_cert_store(context);
  for (const OpenSsl<X509>& ca : read_certificates(options.client_ca)) {
    if (X509_STORE_add_cert(store, ca.get()) != 1 ||
        SSL_CTX_add_client_CA(context, ca.get()) != 1) {
      refuse_file(options.client_ca, take_openssl_error());
    }
  }
  if (options.client_crl.empty()) return;
  const std::string text = read_file(options.client_crl);
  const OpenSsl<BIO> bio = over(text);
  int found = 0;
  while (X509_CRL* const crl = PEM_read_bio_X509_CRL(bio.get(), nullptr, nullptr, nullptr)) {
    found += X509_STORE_add_crl(store, crl);
    const ASN1_TIME* const next = X509_CRL_get0_nextUpdate(crl);
    if (next != nullptr && X509_cmp_current_time(next) < 0) {
      warnings.push_back(
          fmt::format("{}: a revocation list that was to be renewed by {}: no client "
                      "of its CA gets in",
                      options.client_crl.string(), day(time_of(next))));
    }
    X509_CRL_free(crl);
  }
  ERR_clear_error();
  if (found == 0) {
    refuse_file(options.client_crl,
                "holds no revocation list; expected PEM, which begins with "
                "-----BEGIN X509 CRL-----");
  }
  X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
}

// What every context of a listener has in common.
OpenSsl<SSL_CTX> make_context(const TlsOptions& options, std::vector<std::string>& warnings) {
  OpenSsl<SSL_CTX> context{SSL_CTX_new(TLS_server_method())};
  if (!context) throw std::bad_alloc();
  SSL_CTX* const c = context.get();
  SSL_CTX_set_min_proto_version(
      c, options.min_version == TlsOptions::Version::tls_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
  SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                             SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  // An idle connection keeps none of OpenSSL's buffers.
  SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);
  // Sessions are resumed by tickets, which clients keep, one for each handshake.
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(c, 1);
  constexpr std::string_view kName = "iothub";
  SSL_CTX_set_session_id_context(c, reinterpret_cast<const unsigned char*>(kName.data()),
                                 static_cast<unsigned>(kName.size()));
  SSL_CTX_set_alpn_select_cb(
      c, on_alpn, const_cast<std::string_view*>(options.carries_websocket ? &kHttp : &kMqtt));
  if (!options.ciphers.empty() && SSL_CTX_set_cipher_list(c, options.ciphers.c_str()) != 1) {
    throw std::runtime_error(fmt::format("ciphers \"{}\": {}; \"openssl ciphers -v\" shows them",
                                         options.ciphers, take_openssl_error()));
  }
  if (!options.ciphersuites.empty() &&
      SSL_CTX_set_ciphersuites(c, options.ciphersuites.c_str()) != 1) {
    throw std::runtime_error(
        fmt::format("ciphersuites \"{}\": {}", options.ciphersuites, take_openssl_error()));
  }
  trust_clients(c, options, warnings);
  return context;
}

// The server's certificate with its chain, and its key.
OpenSsl<X509> use_certificate(SSL_CTX* context, const TlsOptions::Certificate& files,
                              bool once_served, std::vector<std::string>& warnings) {
  std::vector<OpenSsl<X509>> chain = read_certificates(files.certificate);
  const OpenSsl<EVP_PKEY> key = read_key(files.key);
  check_validity(files.certificate, chain.front().get(), once_served, warnings);
  if (X509_check_private_key(chain.front().get(), key.get()) != 1) {
    ERR_clear_error();
    refuse_file(files.key, fmt::format("is not the key of the first certificate in {}",
                                       files.certificate.string()));
  }
  if (SSL_CTX_use_certificate(context, chain.front().get()) != 1) {
    refuse_file(files.certificate, take_openssl_error());
  }
  for (std::size_t i = 1; i < chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context, chain[i].get()) != 1) {
      refuse_file(files.certificate, take_openssl_error());
    }
  }
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1) refuse_file(files.key, take_openssl_error());
  return std::move(chain.front());
}

}  // namespace

std::string take_openssl_error() {
  const unsigned long error = ERR_get_error();
  ERR_clear_error();
  const char* const reason = error == 0 ? nullptr : ERR_reason_error_string(error);
  return reason == nullptr ? "the connection ended in the middle of a record" : reason;
}

struct TlsContext::Parts {
  struct Server {
    OpenSsl<SSL_CTX> context;
    OpenSsl<X509> certificate;  // null with pre-shared keys only
  };
  std::vector<Server> servers;
  PreSharedKeys keys;

  // The context for whom the client named; the first, if none is.
  static int on_server_name(SSL* ssl, int* /*alert*/, void* argument) {
    const auto& parts = *static_cast<const Parts*>(argument);
    const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
    for (const Server& server : parts.servers) {
      if (server.certificate &&
          X509_check_host(server.certificate.get(), name, 0, 0, nullptr) == 1) {
        SSL_set_SSL_CTX(ssl, server.context.get());
        return SSL_TLSEXT_ERR_OK;
      }
    }
    return SSL_TLSEXT_ERR_NOACK;
  }

  static unsigned on_pre_shared_key(SSL* ssl, const char* identity, unsigned char* into,
                                    unsigned most) {
    const auto& parts = *static_cast<const Parts*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
    const auto found = identity == nullptr ? parts.keys.end() : parts.keys.find(identity);
    if (found == parts.keys.end() || found->second.size() > most) return 0;
    std::memcpy(into, found->second.data(), found->second.size());
    return static_cast<unsigned>(found->second.size());
  }

  void add(OpenSsl<SSL_CTX> context, OpenSsl<X509> certificate) {
    SSL_CTX_set_tlsext_servername_callback(context.get(), on_server_name);
    SSL_CTX_set_tlsext_servername_arg(context.get(), this);
    SSL_CTX_set_app_data(context.get(), this);
    if (!keys.empty()) SSL_CTX_set_psk_server_callback(context.get(), on_pre_shared_key);
    servers.push_back({std::move(context), std::move(certificate)});
  }

  // Tickets are sealed and opened by the first context, whichever served.
  void take_ticket_keys_of(const Parts& before) {
    std::array<unsigned char, 256> keys_of_tickets{};
    SSL_CTX* const old = before.servers.front().context.get();
    const long size = SSL_CTX_get_tlsext_ticket_keys(old, nullptr, 0);
    if (size <= 0 || static_cast<std::size_t>(size) > keys_of_tickets.size()) return;
    if (SSL_CTX_get_tlsext_ticket_keys(old, keys_of_tickets.data(), size) == 1) {
      SSL_CTX_set_tlsext_ticket_keys(servers.front().context.get(), keys_of_tickets.data(), size);
    }
  }
};

TlsContext::TlsContext(const TlsOptions& options, const TlsContext* before)
    : expires_at_(SystemTime::max()) {
  if (options.certificates.empty() && options.psk_file.empty()) {
    throw std::runtime_error("TLS needs a certificate with its key, or a psk_file");
  }
  auto parts = std::make_shared<Parts>();
  if (!options.psk_file.empty()) parts->keys = read_psk_file(options.psk_file);
  for (const TlsOptions::Certificate& files : options.certificates) {
    OpenSsl<SSL_CTX> context = make_context(options, warnings_);
    OpenSsl<X509> certificate = use_certificate(context.get(), files, before != nullptr, warnings_);
    expires_at_ = std::min(expires_at_, time_of(X509_get0_notAfter(certificate.get())));
    parts->add(std::move(context), std::move(certificate));
  }
  if (parts->servers.empty()) parts->add(make_context(options, warnings_), nullptr);
  // Who resumes is not asked again who he is.
  if (before != nullptr && options.psk_file.empty() &&
      options.client_certificates == TlsOptions::ClientCertificates::none) {
    parts->take_ticket_keys_of(*before->parts_);
  }
  parts_ = std::move(parts);
}

std::unique_ptr<Filter> TlsContext::accept() const {
  OpenSsl<SSL> ssl{SSL_new(parts_->servers.front().context.get())};
  if (!ssl) throw std::bad_alloc();
  return make_tls_filter(std::move(ssl), parts_);
}

}  // namespace hub::broker
