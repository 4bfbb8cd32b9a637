// The server's end of TLS against OpenSSL's client, byte by byte and without a socket.
#include "broker/transport/tls.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/transport/filter_chain.h"
#include "broker/transport/openssl_handles.h"
#include "hub/certificate_authority.h"
#include "tests/support/temporary_directory.h"

namespace hub::broker {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

// A client over two buffers.
class TlsClient {
 public:
  explicit TlsClient(const fs::path& ca) : context_(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    if (!ca.empty()) SSL_CTX_load_verify_file(context_.get(), ca.c_str());
    SSL_CTX_set_session_cache_mode(context_.get(), SSL_SESS_CACHE_CLIENT);
  }
  [[nodiscard]] SSL_CTX* context() const { return context_.get(); }
  void use(const CertificateAuthority::Pair& pair) {
    ASSERT_EQ(SSL_CTX_use_certificate_file(context(), pair.certificate.c_str(), SSL_FILETYPE_PEM),
              1);
    ASSERT_EQ(SSL_CTX_use_PrivateKey_file(context(), pair.key.c_str(), SSL_FILETYPE_PEM), 1);
  }

  // session: to resume; may be null.
  void begin(const char* server = "localhost", SSL_SESSION* session = nullptr) {
    ssl_.reset(SSL_new(context()));
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl(), in_, out_);
    SSL_set_tlsext_host_name(ssl(), server);
    if (session != nullptr) SSL_set_session(ssl(), session);
    SSL_set_connect_state(ssl());
  }
  // Gives the client what came, and goes on as far as it can.
  void take(std::string_view bytes) {
    if (!bytes.empty()) BIO_write(in_, bytes.data(), static_cast<int>(bytes.size()));
    char buffer[4096];
    int got = 0;
    while ((got = SSL_read(ssl(), buffer, sizeof buffer)) > 0) {
      received.append(buffer, static_cast<std::size_t>(got));
    }
    ERR_clear_error();
  }
  void write(std::string_view text) {
    EXPECT_EQ(SSL_write(ssl(), text.data(), static_cast<int>(text.size())),
              static_cast<int>(text.size()));
  }
  std::string sent() {
    std::string bytes(BIO_ctrl_pending(out_), '\0');
    if (!bytes.empty()) BIO_read(out_, bytes.data(), static_cast<int>(bytes.size()));
    return bytes;
  }
  [[nodiscard]] SSL* ssl() const { return ssl_.get(); }

  std::string received;

 private:
  OpenSsl<SSL_CTX> context_;
  OpenSsl<SSL> ssl_;
  BIO* in_ = nullptr;  // the SSL's
  BIO* out_ = nullptr;
};

class TlsTest : public testing::Test {
 protected:
  TlsTest() : authority(directory.path()) {
    const auto server = authority.make_server("server", {"localhost", "127.0.0.1"});
    options.certificates = {{server.certificate, server.key}};
  }

  std::unique_ptr<FilterChain> accept(const TlsContext& context) {
    std::vector<std::unique_ptr<Filter>> filters;
    filters.push_back(context.accept());
    return std::make_unique<FilterChain>(std::move(filters));
  }
  // Passes bytes to and fro until nobody has any. `most`: of the client's at once.
  static void talk(TlsClient& client, FilterChain& server, std::size_t most = std::string::npos) {
    for (int i = 0; i < 100; ++i) {
      client.take(server.unsent());
      server.remove_unsent(server.unsent().size());
      const std::string sent = client.sent();
      if (sent.empty()) return;
      for (std::size_t at = 0; at < sent.size() && server.is_open(); at += most) {
        server.receive(std::string_view{sent}.substr(at, most));
        if (most == std::string::npos) break;
      }
    }
    FAIL() << "they never stop";
  }
  static std::string received(FilterChain& server) {
    std::string bytes(1 << 20, '\0');
    bytes.resize(server.take_received(bytes.data(), bytes.size()));
    return bytes;
  }
  std::string refusal() {
    try {
      const TlsContext context{options, nullptr};
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "none";
  }

  test::TemporaryDirectory directory;
  CertificateAuthority authority;
  TlsOptions options;
};

TEST_F(TlsTest, CarriesBytesBothWaysHoweverTheyAreCut) {
  const TlsContext context{options, nullptr};
  for (const std::size_t most : {std::string::npos, std::size_t{1}, std::size_t{700}}) {
    TlsClient client{authority.certificate()};
    client.begin();
    const auto server = accept(context);
    EXPECT_FALSE(server->is_established());
    client.take({});
    talk(client, *server, most);
    ASSERT_TRUE(server->is_established()) << server->failure();
    const std::string large(100'000, 'x');
    client.write("hello");
    client.write(large);
    talk(client, *server, most);
    EXPECT_EQ(received(*server), "hello" + large);
    server->send(large);
    talk(client, *server, most);
    EXPECT_EQ(client.received, large);
    server->end();
    talk(client, *server, most);
    EXPECT_EQ(SSL_get_shutdown(client.ssl()), SSL_RECEIVED_SHUTDOWN);
    EXPECT_TRUE(server->is_open());
    SSL_shutdown(client.ssl());
    talk(client, *server, most);
    EXPECT_FALSE(server->is_open());
    EXPECT_EQ(server->failure(), "") << "an end is no failure";
  }
}

TEST_F(TlsTest, SaysWhyAHandshakeFails) {
  const TlsContext context{options, nullptr};
  const auto failure = [&](std::string_view bytes) {
    const auto server = accept(context);
    server->receive(bytes);
    EXPECT_FALSE(server->is_open());
    return server->failure();
  };
  EXPECT_EQ(failure("GET / HTTP/1.1\r\n\r\n"), "TLS: http request");
  EXPECT_EQ(failure(std::string("\x10\x0e\0\4MQTT\5\2\0\0\0\0\1c", 16)),
            "TLS: wrong version number");
}

TEST_F(TlsTest, ServesTheCertificateThatTheClientNames) {
  const auto other = authority.make_server("other", {"other.example"});
  options.certificates.push_back({other.certificate, other.key});
  const TlsContext context{options, nullptr};
  const auto common_name = [&](const char* name) {
    TlsClient client{authority.certificate()};
    client.begin(name);
    const auto server = accept(context);
    client.take({});
    talk(client, *server);
    const OpenSsl<X509> certificate{SSL_get1_peer_certificate(client.ssl())};
    char text[80] = "";
    if (certificate) {
      X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, text,
                                sizeof text);
    }
    return std::string{text};
  };
  EXPECT_EQ(common_name("other.example"), "other.example");
  EXPECT_EQ(common_name("localhost"), "localhost");
  EXPECT_EQ(common_name("unknown.example"), "localhost") << "the first";
}

class ResumedTlsTest : public TlsTest {
 protected:
  // Connects, keeping the ticket, and connects again to `then`. Whether that resumed.
  bool resumes(TlsClient& client, const TlsContext& first, const TlsContext& then) {
    client.begin();
    auto server = accept(first);
    client.take({});
    talk(client, *server);
    EXPECT_TRUE(server->is_established()) << server->failure();
    SSL_SESSION* const session = SSL_get1_session(client.ssl());
    SSL_set_shutdown(client.ssl(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    client.begin("localhost", session);
    server = accept(then);
    client.take({});
    talk(client, *server);
    EXPECT_TRUE(server->is_established()) << server->failure();
    const bool resumed = SSL_session_reused(client.ssl()) == 1;
    SSL_SESSION_free(session);
    return resumed;
  }
};

TEST_F(ResumedTlsTest, ByATicketAlsoAfterItsCertificatesWereReadAnew) {
  const TlsContext first{options, nullptr};
  const TlsContext then{options, &first};
  const TlsContext stranger{options, nullptr};
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsClient client{authority.certificate()};
    SSL_CTX_set_max_proto_version(client.context(), version);
    EXPECT_TRUE(resumes(client, first, first));
    EXPECT_TRUE(resumes(client, first, then));
    EXPECT_FALSE(resumes(client, first, stranger));
  }
}

TEST_F(ResumedTlsTest, NotAfterPreSharedKeysWereReadAnew) {
  options.psk_file = directory.write("keys", "a:00112233445566778899aabbccddeeff\n");
  fs::permissions(options.psk_file, fs::perms{0600});
  const TlsContext first{options, nullptr};
  const TlsContext then{options, &first};
  TlsClient client{authority.certificate()};
  EXPECT_TRUE(resumes(client, first, first));
  EXPECT_FALSE(resumes(client, first, then)) << "its key may be gone";
}

TEST_F(ResumedTlsTest, NotAfterWhoMayConnectWasReadAnew) {
  options.client_certificates = TlsOptions::ClientCertificates::required;
  options.client_ca = authority.certificate();
  const TlsContext first{options, nullptr};
  const TlsContext then{options, &first};
  TlsClient client{authority.certificate()};
  client.use(authority.make_device("d1", "d1"));
  EXPECT_TRUE(resumes(client, first, first));
  EXPECT_FALSE(resumes(client, first, then)) << "it may have been revoked";
}

TEST_F(TlsTest, TakesNoFirstMessageThatIsTooLong) {
  const TlsContext context{options, nullptr};
  const std::string long_hello("\x16\x03\x01\x00\x04\x01\x01\xff\xff", 9);
  const std::string torn("\x16\x03\x01\x00\x01\x01\x16\x03\x01", 9);
  for (const std::string& bytes : {long_hello, torn}) {
    const auto server = accept(context);
    for (const char byte : bytes) {
      if (server->is_open()) server->receive({&byte, 1});
    }
    EXPECT_EQ(server->failure(), "TLS: a first message that is too long, or in too small pieces");
  }
}

TEST_F(TlsTest, SaysByeToWhoeverSaysIt) {
  const TlsContext context{options, nullptr};
  TlsClient client{authority.certificate()};
  client.begin();
  const auto server = accept(context);
  client.take({});
  talk(client, *server);
  SSL_shutdown(client.ssl());
  talk(client, *server);
  EXPECT_FALSE(server->is_open());
  EXPECT_EQ(SSL_get_shutdown(client.ssl()), SSL_RECEIVED_SHUTDOWN | SSL_SENT_SHUTDOWN);
}

TEST_F(TlsTest, AsksForCertificatesAsItIsTold) {
  const CertificateAuthority strangers{directory.path() / "strangers"};
  const auto device = authority.make_device("d1", "d1");
  const auto stranger = strangers.make_device("d1", "d1");
  using Wanted = TlsOptions::ClientCertificates;
  const auto is_accepted = [&](Wanted wanted, const CertificateAuthority::Pair* pair) {
    options.client_certificates = wanted;
    options.client_ca = authority.certificate();
    const TlsContext context{options, nullptr};
    TlsClient client{authority.certificate()};
    if (pair != nullptr) client.use(*pair);
    client.begin();
    const auto server = accept(context);
    client.take({});
    talk(client, *server);
    return server->is_open() && server->is_established();
  };
  EXPECT_TRUE(is_accepted(Wanted::none, &stranger));
  EXPECT_TRUE(is_accepted(Wanted::optional, nullptr));
  EXPECT_TRUE(is_accepted(Wanted::optional, &device));
  EXPECT_FALSE(is_accepted(Wanted::optional, &stranger));
  EXPECT_FALSE(is_accepted(Wanted::required, nullptr));
  EXPECT_TRUE(is_accepted(Wanted::required, &device));
  EXPECT_FALSE(is_accepted(Wanted::required, &stranger));
}

TEST_F(TlsTest, RefusesOlderVersionsThanItIsTold) {
  options.min_version = TlsOptions::Version::tls_1_3;
  const TlsContext context{options, nullptr};
  TlsClient client{authority.certificate()};
  SSL_CTX_set_max_proto_version(client.context(), TLS1_2_VERSION);
  client.begin();
  const auto server = accept(context);
  client.take({});
  talk(client, *server);
  EXPECT_EQ(server->failure(), "TLS: unsupported protocol");
}

TEST_F(TlsTest, SpeaksMqttWhereTheClientAsksWhat) {
  const TlsContext context{options, nullptr};
  const auto chosen = [&](std::string_view offered) {
    TlsClient client{authority.certificate()};
    SSL_CTX_set_alpn_protos(client.context(),
                            reinterpret_cast<const unsigned char*>(offered.data()),
                            static_cast<unsigned>(offered.size()));
    client.begin();
    const auto server = accept(context);
    client.take({});
    talk(client, *server);
    EXPECT_TRUE(server->is_established());
    const unsigned char* protocol = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(client.ssl(), &protocol, &size);
    return std::string{reinterpret_cast<const char*>(protocol), size};
  };
  EXPECT_EQ(chosen("\x02h2\x08http/1.1\x04mqtt"), "mqtt");
  EXPECT_EQ(chosen("\x0ex-amzn-mqtt-ca"), "");
}

TEST_F(TlsTest, NamesTheFileTheReasonAndTheWayOut) {
  const auto good = options.certificates.front();
  const auto other = authority.make_server("other", {"localhost"});
  auto& used = options.certificates.front();
  used.certificate = directory.path() / "none.crt";
  EXPECT_EQ(refusal(), (directory.path() / "none.crt").string() +
                           ": cannot be read: No such file or directory");
  used.certificate = directory.write("text.crt", "certificate");
  EXPECT_THAT(refusal(), AllOf(HasSubstr("text.crt: holds no certificate"), HasSubstr("BEGIN")));
  used = {good.certificate, other.key};
  EXPECT_THAT(refusal(), HasSubstr("other.key: is not the key of the first certificate in "));
  used = {good.certificate, good.certificate};
  fs::permissions(good.certificate, fs::perms{0600});
  EXPECT_THAT(refusal(), HasSubstr("server.crt: holds no private key"));
  used = good;
  fs::permissions(good.key, fs::perms{0604});
  EXPECT_THAT(refusal(), HasSubstr("chmod o= " + good.key.string()));
  fs::permissions(good.key, fs::perms{0640});
  EXPECT_EQ(refusal(), "none");
  options.ciphers = "nonsense";
  EXPECT_EQ(refusal(), "ciphers \"nonsense\": no cipher match; \"openssl ciphers -v\" shows them");
  options.ciphers = "";
  options.client_certificates = TlsOptions::ClientCertificates::required;
  EXPECT_THAT(refusal(), HasSubstr("client_ca"));
}

TEST_F(TlsTest, ReadsPreSharedKeysLineByLine) {
  options.certificates.clear();
  const auto with = [&](const std::string& text) {
    options.psk_file = directory.write("keys", text);
    fs::permissions(options.psk_file, fs::perms{0600});
    const std::string refused = refusal();
    return refused.substr(refused.find("keys") == std::string::npos ? 0 : refused.find("keys"));
  };
  const std::string key = "00112233445566778899aabbccddeeff";
  EXPECT_EQ(with("# devices\n\na:" + key + "\nb:" + key + "\r\n"), "none");
  EXPECT_EQ(with("a:" + key + "\nb\n"), "keys:2: expected identity:key in hex");
  EXPECT_THAT(with("a:0011\n"), HasSubstr("keys:1: expected a key of 32 to 1024 hex digits"));
  EXPECT_THAT(with("a:" + key + "0\n"), HasSubstr("keys:1: expected a key"));
  EXPECT_EQ(with("a:" + key + "\na:" + key), "keys:2: this identity has a key above already");
  EXPECT_EQ(with("\n"), "keys: has no key");
  fs::permissions(options.psk_file, fs::perms{0644});
  EXPECT_THAT(refusal(), HasSubstr("chmod o= "));
}

}  // namespace
}  // namespace hub::broker
