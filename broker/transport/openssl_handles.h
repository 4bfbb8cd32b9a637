#pragma once

#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace hub::broker {

// Owners of OpenSSL's objects, for this folder's sources.
struct OpenSslFree {
  void operator()(BIO* bio) const noexcept { BIO_free_all(bio); }
  void operator()(BIO_METHOD* method) const noexcept { BIO_meth_free(method); }
  void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
  void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
  void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
  void operator()(X509* certificate) const noexcept { X509_free(certificate); }
};
template <class T>
using OpenSsl = std::unique_ptr<T, OpenSslFree>;

// What the last call that failed says, in a few words; empties the thread's queue of errors.
[[nodiscard]] std::string take_openssl_error();

}  // namespace hub::broker
