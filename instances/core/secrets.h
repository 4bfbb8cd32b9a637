#pragma once

#include <string>
#include <string_view>

// Random names and secrets, and what is kept of secrets instead of them (libsodium).

namespace hub::instances {

// "vpc-k3j9x2m7qa": the prefix, and 50 random bits.
[[nodiscard]] std::string new_id(std::string_view prefix);

// 26 characters of [a-z2-7]: 130 random bits.
[[nodiscard]] std::string new_secret();

// 1 to `max`, uniform.
[[nodiscard]] unsigned random_number(unsigned max);

// BLAKE2b of 32 bytes; with a key when there is one. For secrets that are random themselves.
[[nodiscard]] std::string hash(std::string_view text, std::string_view key = {});

// argon2id. Each takes some 30 ms of a core and 19 MiB, on purpose.
[[nodiscard]] std::string hash_password(const std::string& password);
[[nodiscard]] bool verify_password(const std::string& stored, const std::string& password);

}  // namespace hub::instances
