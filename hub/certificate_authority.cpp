#include "hub/certificate_authority.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <memory>
#include <stdexcept>
#include <system_error>

#include "base/file_descriptor.h"

namespace hub {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::days kAuthorityLife{3'650};
constexpr std::chrono::days kServerLife{730};
constexpr std::chrono::days kDeviceLife{3'650};

struct Free {
  void operator()(BIO* bio) const noexcept { BIO_free_all(bio); }
  void operator()(BIGNUM* number) const noexcept { BN_free(number); }
  void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const noexcept { X509_free(certificate); }
  void operator()(X509_EXTENSION* extension) const noexcept { X509_EXTENSION_free(extension); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

[[noreturn]] void fail(const fs::path& file, const std::string& why) {
  throw std::runtime_error(fmt::format("{}: {}", file.string(), why));
}

void require(bool done, const char* what) {
  if (done) return;
  std::array<char, 256> reason{};
  ERR_error_string_n(ERR_get_error(), reason.data(), reason.size());
  throw std::runtime_error(fmt::format("cannot {}: {}", what, reason.data()));
}

// The file is there whole or not at all.
void write(const fs::path& file, const std::string& text, mode_t mode) {
  const fs::path partial = file.string() + ".new";
  ::unlink(partial.c_str());
  FileDescriptor out{::open(partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)};
  const bool written =
      out && ::fchmod(out.get(), mode) == 0 &&
      ::write(out.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      ::fsync(out.get()) == 0 && ::rename(partial.c_str(), file.c_str()) == 0;
  if (!written) fail(file, "cannot be written: " + std::generic_category().message(errno));
}

template <class F>
std::string as_pem(F write_to) {
  const Owned<BIO> bio{BIO_new(BIO_s_mem())};
  require(bio && write_to(bio.get()) == 1, "write PEM");
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

void write_key(const fs::path& file, EVP_PKEY* key) {
  write(file, as_pem([key](BIO* bio) {
          return PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
        }),
        0600);
}

void write_certificate(const fs::path& file, X509* certificate) {
  write(file, as_pem([certificate](BIO* bio) { return PEM_write_bio_X509(bio, certificate); }),
        0644);
}

Owned<EVP_PKEY> make_key() {
  Owned<EVP_PKEY> key{EVP_EC_gen("P-256")};
  require(key != nullptr, "make a key");
  return key;
}

template <class T, class F>
Owned<T> read(const fs::path& file, F read_from) {
  const Owned<BIO> bio{BIO_new_file(file.c_str(), "r")};
  Owned<T> out{bio ? read_from(bio.get()) : nullptr};
  ERR_clear_error();
  if (!out) fail(file, "cannot be read as PEM; move the directory away to begin anew");
  return out;
}

void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Owned<X509_EXTENSION> extension{X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str())};
  require(extension && X509_add_ext(certificate, extension.get(), -1) == 1, "add an extension");
}

void set_random_serial(X509* certificate) {
  constexpr int kBits = 127;
  const Owned<BIGNUM> number{BN_new()};
  require(number && BN_rand(number.get(), kBits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
              BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr,
          "make a serial number");
}

// Without extensions and signature.
Owned<X509> draft(const std::string& common_name, EVP_PKEY* key, std::chrono::days life) {
  Owned<X509> certificate{X509_new()};
  require(certificate && X509_set_version(certificate.get(), X509_VERSION_3) == 1,
          "make a certificate");
  set_random_serial(certificate.get());
  // An hour back, for devices whose clock is late.
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3'600);
  X509_time_adj_ex(X509_getm_notAfter(certificate.get()), static_cast<int>(life.count()), 0,
                   nullptr);
  X509_NAME* const name = X509_get_subject_name(certificate.get());
  require(X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                                     reinterpret_cast<const unsigned char*>(common_name.data()),
                                     static_cast<int>(common_name.size()), -1, 0) == 1,
          "take that name into a certificate (64 characters at most)");
  require(X509_set_pubkey(certificate.get(), key) == 1, "set a public key");
  return certificate;
}

void sign(X509* certificate, X509* issuer, EVP_PKEY* issuer_key) {
  require(X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1 &&
              X509_sign(certificate, issuer_key, EVP_sha256()) != 0,
          "sign a certificate");
}

// As subjectAltName has them: "DNS:localhost,IP:::1".
std::string alternative_names(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) {
    std::array<unsigned char, sizeof(in6_addr)> ignored{};
    const bool is_address = ::inet_pton(AF_INET, name.c_str(), ignored.data()) == 1 ||
                            ::inet_pton(AF_INET6, name.c_str(), ignored.data()) == 1;
    const bool is_plain =
        name.find_first_not_of(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._*") ==
        std::string::npos;
    if (!is_address && (!is_plain || name.empty())) {
      throw std::runtime_error(fmt::format("\"{}\" is neither a host name nor an address", name));
    }
    out += fmt::format("{}{}:{}", out.empty() ? "" : ",", is_address ? "IP" : "DNS", name);
  }
  return out;
}

}  // namespace

struct CertificateAuthority::Request {
  std::string common_name;
  std::chrono::days life{};
  const char* usage = "";
  std::string names;  // empty: none
};

CertificateAuthority::CertificateAuthority(fs::path directory) : directory_(std::move(directory)) {
  std::error_code error;
  const bool is_new_directory = fs::create_directories(directory_, error);
  if (error) fail(directory_, "cannot be made: " + error.message());
  if (is_new_directory) ::chmod(directory_.c_str(), 0750);
  is_new_ = !fs::exists(certificate());
  if (!is_new_) return;
  if (fs::exists(directory_ / "ca.key")) {
    fail(directory_, "has a ca.key without its ca.crt: bring that back, or take another directory");
  }
  const Owned<EVP_PKEY> key = make_key();
  const Owned<X509> own = draft("iothub private CA", key.get(), kAuthorityLife);
  add_extension(own.get(), own.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
  add_extension(own.get(), own.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(own.get(), own.get(), NID_subject_key_identifier, "hash");
  sign(own.get(), own.get(), key.get());
  write_certificate(certificate(), own.get());
  write_key(directory_ / "ca.key", key.get());
}

CertificateAuthority::Pair CertificateAuthority::make_server(
    const std::string& stem, const std::vector<std::string>& names) const {
  return issue(stem, {.common_name = names.at(0),
                      .life = kServerLife,
                      .usage = "serverAuth",
                      .names = alternative_names(names)});
}

CertificateAuthority::Pair CertificateAuthority::make_device(const std::string& stem,
                                                             const std::string& id) const {
  return issue(stem, {.common_name = id, .life = kDeviceLife, .usage = "clientAuth", .names = {}});
}

CertificateAuthority::Pair CertificateAuthority::issue(const std::string& stem,
                                                       const Request& request) const {
  const Owned<X509> issuer = read<X509>(
      certificate(), [](BIO* bio) { return PEM_read_bio_X509(bio, nullptr, nullptr, nullptr); });
  const Owned<EVP_PKEY> issuer_key = read<EVP_PKEY>(directory_ / "ca.key", [](BIO* bio) {
    return PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
  });
  if (X509_check_private_key(issuer.get(), issuer_key.get()) != 1) {
    fail(directory_ / "ca.key", "is not the key of ca.crt");
  }
  const Owned<EVP_PKEY> key = make_key();
  const Owned<X509> made = draft(request.common_name, key.get(), request.life);
  add_extension(made.get(), issuer.get(), NID_basic_constraints, "critical,CA:FALSE");
  add_extension(made.get(), issuer.get(), NID_key_usage, "critical,digitalSignature");
  add_extension(made.get(), issuer.get(), NID_ext_key_usage, request.usage);
  add_extension(made.get(), issuer.get(), NID_authority_key_identifier, "keyid");
  if (!request.names.empty()) {
    add_extension(made.get(), issuer.get(), NID_subject_alt_name, request.names);
  }
  sign(made.get(), issuer.get(), issuer_key.get());
  Pair pair{directory_ / (stem + ".crt"), directory_ / (stem + ".key")};
  write_key(pair.key, key.get());
  write_certificate(pair.certificate, made.get());
  return pair;
}

}  // namespace hub
