#include "broker/transport/tls_filter.h"

#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <new>
#include <utility>

namespace hub::broker {
namespace {

// The longest plaintext of one record.
constexpr std::size_t kMostPlaintext = SSL3_RT_MAX_PLAIN_LENGTH;

// Where OpenSSL reads and writes during one call of the filter.
struct Wire {
  std::string_view in;         // of it, what was not read yet
  std::string* out = nullptr;  // appended to
};

Wire& wire_of(BIO* bio) { return *static_cast<Wire*>(BIO_get_data(bio)); }

int read_wire(BIO* bio, char* into, std::size_t most, std::size_t* read) {
  Wire& wire = wire_of(bio);
  BIO_clear_retry_flags(bio);
  if (wire.in.empty()) {
    BIO_set_retry_read(bio);
    return 0;
  }
  *read = std::min(most, wire.in.size());
  std::memcpy(into, wire.in.data(), *read);
  wire.in.remove_prefix(*read);
  return 1;
}

int write_wire(BIO* bio, const char* bytes, std::size_t size, std::size_t* written) {
  wire_of(bio).out->append(bytes, size);
  *written = size;
  return 1;
}

long control_wire(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

const BIO_METHOD* wire_method() {
  static const OpenSsl<BIO_METHOD> method = [] {
    OpenSsl<BIO_METHOD> made{
        BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "bytes of a connection")};
    if (!made) throw std::bad_alloc();
    BIO_meth_set_read_ex(made.get(), read_wire);
    BIO_meth_set_write_ex(made.get(), write_wire);
    BIO_meth_set_ctrl(made.get(), control_wire);
    return made;
  }();
  return method.get();
}

class TlsFilter final : public Filter {
 public:
  TlsFilter(OpenSsl<SSL> ssl, std::shared_ptr<const void> keeps_alive)
      : keeps_alive_(std::move(keeps_alive)), ssl_(std::move(ssl)) {
    OpenSsl<BIO> bio{BIO_new(wire_method())};
    if (!bio) throw std::bad_alloc();
    BIO_set_data(bio.get(), &wire_);
    BIO_set_init(bio.get(), 1);
    BIO* const both = bio.release();
    SSL_set_bio(ssl_.get(), both, both);
    SSL_set_accept_state(ssl_.get());
  }

  State receive(std::string_view bytes, std::string& received, std::string& answer) override {
    if (!failure_.empty()) return State::failed;  // a send did
    wire_ = {bytes, &answer};
    ERR_clear_error();
    if (!is_established()) {
      if (!begins_well(bytes)) return State::failed;
      if (SSL_do_handshake(ssl_.get()) != 1) return state_of_last_call();
      if (!peer_is_still_valid()) return State::failed;
    }
    for (;;) {
      // No byte on the wire has more than one of plaintext, but a record that had begun may be
      // longer than what came now: the loop goes round for its rest.
      const std::size_t most = std::clamp<std::size_t>(wire_.in.size(), 1'024, kMostPlaintext);
      const std::size_t had = received.size();
      received.resize(had + most);
      std::size_t got = 0;
      const bool read = SSL_read_ex(ssl_.get(), received.data() + had, most, &got) == 1;
      received.resize(had + got);
      if (!read) return state_of_last_call();
    }
  }

  void send(std::string_view bytes, std::string& out) override {
    if (bytes.empty()) return;
    wire_ = {{}, &out};
    ERR_clear_error();
    std::size_t written = 0;
    if (SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &written) == 1) return;
    failure_ = "TLS: what was to be sent could not be";
    ERR_clear_error();
  }

  void end(std::string& out) override {
    if (!is_established()) return;
    wire_ = {{}, &out};
    ERR_clear_error();
    if (SSL_shutdown(ssl_.get()) < 0) ERR_clear_error();
  }

  [[nodiscard]] bool is_established() const override {
    return SSL_is_init_finished(ssl_.get()) == 1;
  }

  [[nodiscard]] std::string failure() const override { return failure_; }

 private:
  // OpenSSL makes room for as much as the head of the first message says, 128 KiB at most, before
  // any of that is there. No ClientHello is that long.
  bool begins_well(std::string_view bytes) {
    for (; begun_ < head_.size() && !bytes.empty(); bytes.remove_prefix(1)) {
      head_[begun_++] = static_cast<unsigned char>(bytes.front());
    }
    constexpr unsigned kHandshake = 22;
    constexpr std::size_t kMessageHead = 4;
    if (begun_ < head_.size() || head_[0] != kHandshake) return true;
    const std::size_t record_bytes = head_[3] * 256U + head_[4];
    const std::size_t message_bytes = head_[6] * 65'536U + head_[7] * 256U + head_[8];
    if (record_bytes >= kMessageHead && message_bytes <= kMostPlaintext) return true;
    failure_ = "TLS: a first message that is too long, or in too small pieces";
    return false;
  }

  // A session that is resumed is not verified anew.
  bool peer_is_still_valid() {
    if (SSL_session_reused(ssl_.get()) != 1) return true;
    const X509* const peer = SSL_get0_peer_certificate(ssl_.get());
    if (peer == nullptr || X509_cmp_current_time(X509_get0_notAfter(peer)) > 0) return true;
    failure_ = "TLS: the client's certificate has expired";
    return false;
  }

  State state_of_last_call() {
    // SSL_read_ex() and SSL_do_handshake() both say by 0 or less that they did not succeed.
    switch (SSL_get_error(ssl_.get(), 0)) {
      case SSL_ERROR_WANT_READ:
        return State::open;
      case SSL_ERROR_ZERO_RETURN:
        return State::ended;
      default:
        failure_ = "TLS: " + take_openssl_error();
        return State::failed;
    }
  }

  std::shared_ptr<const void> keeps_alive_;
  Wire wire_;
  OpenSsl<SSL> ssl_;
  std::string failure_;
  std::array<unsigned char, 9> head_{};  // of the first record and its message
  std::uint8_t begun_ = 0;               // bytes of it
};

}  // namespace

std::unique_ptr<Filter> make_tls_filter(OpenSsl<SSL> ssl, std::shared_ptr<const void> keeps_alive) {
  return std::make_unique<TlsFilter>(std::move(ssl), std::move(keeps_alive));
}

}  // namespace hub::broker
