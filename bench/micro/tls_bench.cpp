// What TLS costs a shard: a handshake, its longest single step, a record, an idle connection.
// Server and client are in one thread, over memory; a step is one call of the server's filter.
#include <benchmark/benchmark.h>
#include <malloc.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "broker/transport/openssl_handles.h"
#include "broker/transport/tls.h"
#include "hub/certificate_authority.h"

namespace hub::broker {
namespace {

namespace fs = std::filesystem;

// Of this thread, so that a busy machine makes no step longer than it is.
struct CpuClock {
  using duration = std::chrono::nanoseconds;
  static duration now() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds{time.tv_sec} + std::chrono::nanoseconds{time.tv_nsec};
  }
};

enum class Key : int { p256, rsa2048 };

// Certificates in a directory of their own, removed at the end.
class Certificates {
 public:
  Certificates() {
    std::string pattern = (fs::temp_directory_path() / "tls-bench-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
    const CertificateAuthority authority{directory_};
    const auto pair = authority.make_server("server", {"localhost"});
    p256_ = {pair.certificate, pair.key};
    make_rsa();
  }
  ~Certificates() { fs::remove_all(directory_); }

  [[nodiscard]] TlsOptions options(Key key) const {
    TlsOptions options;
    options.certificates = {key == Key::p256 ? p256_ : rsa_};
    return options;
  }

 private:
  void make_rsa() {
    const OpenSsl<EVP_PKEY> key{EVP_RSA_gen(2048)};
    const OpenSsl<X509> certificate{X509_new()};
    X509_set_version(certificate.get(), X509_VERSION_3);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 90L * 86'400);
    X509_set_pubkey(certificate.get(), key.get());
    X509_sign(certificate.get(), key.get(), EVP_sha256());
    rsa_ = {directory_ / "rsa.crt", directory_ / "rsa.key"};
    const auto write = [](const fs::path& file, auto write_to) {
      std::unique_ptr<FILE, int (*)(FILE*)> out{std::fopen(file.c_str(), "w"), &std::fclose};
      write_to(out.get());
    };
    write(rsa_.certificate, [&](FILE* out) { PEM_write_X509(out, certificate.get()); });
    write(rsa_.key, [&](FILE* out) {
      PEM_write_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    });
    fs::permissions(rsa_.key, fs::perms{0600});
  }

  fs::path directory_;
  TlsOptions::Certificate p256_;
  TlsOptions::Certificate rsa_;
};

const Certificates& certificates() {
  static const Certificates made;
  return made;
}

// A client that trusts anybody, and one connection of it.
class Client {
 public:
  explicit Client(SSL_CTX* context, SSL_SESSION* session) : ssl_(SSL_new(context)) {
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl_.get(), in_, out_);
    if (session != nullptr) SSL_set_session(ssl_.get(), session);
    SSL_set_connect_state(ssl_.get());
  }
  // Without a shutdown, its session would not be resumed any more.
  ~Client() { SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  void take(std::string_view bytes) {
    if (!bytes.empty()) BIO_write(in_, bytes.data(), static_cast<int>(bytes.size()));
    char buffer[16];
    (void)SSL_read(ssl_.get(), buffer, sizeof buffer);
  }
  std::string sent() {
    std::string bytes(BIO_ctrl_pending(out_), '\0');
    if (!bytes.empty()) BIO_read(out_, bytes.data(), static_cast<int>(bytes.size()));
    return bytes;
  }
  [[nodiscard]] SSL* ssl() const { return ssl_.get(); }

 private:
  OpenSsl<SSL> ssl_;
  BIO* in_ = nullptr;
  BIO* out_ = nullptr;
};

struct ServerTime {
  CpuClock::duration whole{};
  CpuClock::duration longest_step{};
};

ServerTime shake_hands(Filter& server, Client& client) {
  ServerTime time;
  std::string received;
  client.take({});
  for (std::string sent = client.sent(); !sent.empty(); sent = client.sent()) {
    std::string answer;
    const auto start = CpuClock::now();
    (void)server.receive(sent, received, answer);
    const auto took = CpuClock::now() - start;
    time.whole += took;
    time.longest_step = std::max(time.longest_step, took);
    client.take(answer);
  }
  return time;
}

OpenSsl<SSL_CTX> client_context() {
  OpenSsl<SSL_CTX> context{SSL_CTX_new(TLS_client_method())};
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  return context;
}

double microseconds(CpuClock::duration time) {
  return std::chrono::duration<double, std::micro>(time).count();
}

// Counts the server's time only.
void handshake(benchmark::State& state) {
  const TlsContext context{certificates().options(static_cast<Key>(state.range(0))), nullptr};
  const bool resumed = state.range(1) != 0;
  const OpenSsl<SSL_CTX> clients = client_context();
  SSL_SESSION* session = nullptr;
  if (resumed) {
    const auto server = context.accept();
    Client first{clients.get(), nullptr};
    (void)shake_hands(*server, first);
    session = SSL_get1_session(first.ssl());
  }
  CpuClock::duration longest{};
  for (auto _ : state) {
    const auto server = context.accept();
    Client client{clients.get(), session};
    const ServerTime time = shake_hands(*server, client);
    if (!server->is_established() || (SSL_session_reused(client.ssl()) == 1) != resumed) {
      state.SkipWithError("the handshake is not what it should be");
    }
    state.SetIterationTime(std::chrono::duration<double>(time.whole).count());
    longest = std::max(longest, time.longest_step);
  }
  state.counters["longest_step_us"] = microseconds(longest);
  SSL_SESSION_free(session);
}
BENCHMARK(handshake)
    ->ArgNames({"rsa", "resumed"})
    ->ArgsProduct({{static_cast<int>(Key::p256), static_cast<int>(Key::rsa2048)}, {0, 1}})
    ->UseManualTime()
    ->Unit(benchmark::kMicrosecond);

// A burst of messages in one record, decrypted.
void receive(benchmark::State& state) {
  const TlsContext context{certificates().options(Key::p256), nullptr};
  const OpenSsl<SSL_CTX> clients = client_context();
  const auto server = context.accept();
  Client client{clients.get(), nullptr};
  (void)shake_hands(*server, client);
  const std::string text(static_cast<std::size_t>(state.range(0)), 'x');
  std::string received;
  std::string answer;
  for (auto _ : state) {
    state.PauseTiming();
    SSL_write(client.ssl(), text.data(), static_cast<int>(text.size()));
    const std::string wire = client.sent();
    received.clear();
    state.ResumeTiming();
    (void)server->receive(wire, received, answer);
    if (received.size() != text.size()) state.SkipWithError("not all came");
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * state.range(0));
}
BENCHMARK(receive)->Arg(100)->Arg(4'000)->Arg(16'000);

// What a connection that says nothing keeps of memory.
void idle_bytes(benchmark::State& state) {
  constexpr std::size_t kConnections = 500;
  const TlsContext context{certificates().options(Key::p256), nullptr};
  const OpenSsl<SSL_CTX> clients = client_context();
  std::size_t bytes = 0;
  for (auto _ : state) {
    std::vector<std::unique_ptr<Filter>> servers(kConnections);
    const std::size_t before = ::mallinfo2().uordblks;
    for (auto& server : servers) {
      server = context.accept();
      Client client{clients.get(), nullptr};
      (void)shake_hands(*server, client);
    }
    bytes = (::mallinfo2().uordblks - before) / kConnections;
  }
  // OpenSSL 3.0 keeps 8.8 kB before the handshake already, without any buffer.
  constexpr std::size_t kMost = 16 * 1024;
  if (bytes == 0 || bytes > kMost) {
    const std::string what = "an idle connection keeps " + std::to_string(bytes) + " bytes";
    state.SkipWithError(what.c_str());
  }
  state.counters["bytes"] = static_cast<double>(bytes);
}
BENCHMARK(idle_bytes)->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace hub::broker
