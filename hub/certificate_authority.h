#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace hub {

// A private certificate authority in a directory, for those who begin: ca.crt and ca.key, and the
// certificates that it signs, all of P-256 keys. Keys can be read by their owner alone.
// Every function throws std::runtime_error that says what is wrong, with the file or the name.
class CertificateAuthority {
 public:
  // Takes what is in the directory, or makes both, and the directory.
  explicit CertificateAuthority(std::filesystem::path directory);

  [[nodiscard]] bool is_new() const noexcept { return is_new_; }
  [[nodiscard]] std::filesystem::path certificate() const { return directory_ / "ca.crt"; }

  struct Pair {
    std::filesystem::path certificate;
    std::filesystem::path key;
  };
  // Writes `stem`.crt and `stem`.key into the directory. An existing pair is replaced.
  // names: what clients call the server, names or addresses; at least one.
  Pair make_server(const std::string& stem, const std::vector<std::string>& names) const;
  // Its common name is `id`.
  Pair make_device(const std::string& stem, const std::string& id) const;

 private:
  struct Request;
  Pair issue(const std::string& stem, const Request& request) const;

  std::filesystem::path directory_;
  bool is_new_ = false;
};

}  // namespace hub
