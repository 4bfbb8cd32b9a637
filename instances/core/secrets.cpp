#include "instances/core/secrets.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <new>
#include <stdexcept>

namespace hub::instances {
namespace {

// The work of a password's hash: OWASP's choice for argon2id.
constexpr unsigned long long kPasses = 2;
constexpr std::size_t kMemoryBytes = std::size_t{19} << 20;

void initialise() {
  static const bool ready = sodium_init() >= 0;
  if (!ready) throw std::runtime_error("libsodium finds no source of random numbers");
}

std::string random_text(std::size_t size) {
  initialise();
  std::string text(size, '\0');
  randombytes_buf(text.data(), text.size());
  for (char& c : text) c = "abcdefghijklmnopqrstuvwxyz234567"[static_cast<unsigned char>(c) & 31];
  return text;
}

}  // namespace

std::string new_id(std::string_view prefix) { return std::string(prefix) + "-" + random_text(10); }

std::string new_secret() { return random_text(26); }

unsigned random_number(unsigned max) {
  initialise();
  return 1 + randombytes_uniform(max);
}

std::string hash(std::string_view text, std::string_view key) {
  initialise();
  std::string out(crypto_generichash_BYTES, '\0');
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  const auto* key_bytes = reinterpret_cast<const unsigned char*>(key.data());
  if (crypto_generichash(reinterpret_cast<unsigned char*>(out.data()), out.size(), bytes,
                         text.size(), key.empty() ? nullptr : key_bytes, key.size()) != 0)
    throw std::invalid_argument("a key of that size cannot be used");
  return out;
}

std::string hash_password(const std::string& password) {
  initialise();
  std::array<char, crypto_pwhash_STRBYTES> out{};
  if (crypto_pwhash_str_alg(out.data(), password.data(), password.size(), kPasses, kMemoryBytes,
                            crypto_pwhash_ALG_ARGON2ID13) != 0)
    throw std::bad_alloc();
  return out.data();
}

bool verify_password(const std::string& stored, const std::string& password) {
  initialise();
  return crypto_pwhash_str_verify(stored.c_str(), password.data(), password.size()) == 0;
}

}  // namespace hub::instances
