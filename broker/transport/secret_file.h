#pragma once

#include <filesystem>
#include <string>

namespace hub::broker {

// Throws std::runtime_error: "FILE: why".
[[noreturn]] void refuse_file(const std::filesystem::path& file, const std::string& why);

// The text of a file of at most 1 MiB. Throws std::runtime_error that names the file, and what the
// system says.
[[nodiscard]] std::string read_file(const std::filesystem::path& file);

// The same of a file that holds a secret: one that every user of the machine can read is refused,
// with the chmod that helps.
[[nodiscard]] std::string read_secret_file(const std::filesystem::path& file);

}  // namespace hub::broker
