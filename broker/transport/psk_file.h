#pragma once

#include <filesystem>
#include <map>
#include <string>

namespace hub::broker {

// The pre-shared keys of a listener: identity and key, the latter as bytes.
using PreSharedKeys = std::map<std::string, std::string, std::less<>>;

// Reads lines "identity:key in hex"; empty ones and those that begin with # are passed over.
// Throws std::runtime_error with the place (file:line) and what was expected. Errors show no key.
[[nodiscard]] PreSharedKeys read_psk_file(const std::filesystem::path& file);

}  // namespace hub::broker
