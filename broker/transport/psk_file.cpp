#include "broker/transport/psk_file.h"

#include <fmt/format.h>

#include <boost/algorithm/hex.hpp>
#include <iterator>
#include <stdexcept>
#include <string_view>

#include "broker/transport/secret_file.h"

namespace hub::broker {
namespace {

// Shorter keys can be tried out; longer ones OpenSSL does not take.
constexpr std::size_t kLeastKeyBytes = 16;
constexpr std::size_t kMostKeyBytes = 512;

std::string from_hex(std::string_view text) {
  std::string bytes;
  try {
    boost::algorithm::unhex(text.begin(), text.end(), std::back_inserter(bytes));
  } catch (const boost::algorithm::hex_decode_error&) {
    bytes.clear();
  }
  return bytes;
}

}  // namespace

PreSharedKeys read_psk_file(const std::filesystem::path& file) {
  const std::string text = read_secret_file(file);
  PreSharedKeys keys;
  std::size_t number = 0;
  for (std::string_view rest = text; !rest.empty();) {
    ++number;
    const std::size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with('#')) continue;

    const auto fail = [&](const std::string& why) {
      throw std::runtime_error(fmt::format("{}:{}: {}", file.string(), number, why));
    };
    const std::size_t colon = line.find(':');
    if (colon == 0 || colon == std::string_view::npos) fail("expected identity:key in hex");
    std::string key = from_hex(line.substr(colon + 1));
    if (key.size() < kLeastKeyBytes || key.size() > kMostKeyBytes) {
      fail(fmt::format("expected a key of {} to {} hex digits; openssl rand -hex 32 makes one",
                       2 * kLeastKeyBytes, 2 * kMostKeyBytes));
    }
    if (!keys.emplace(line.substr(0, colon), std::move(key)).second) {
      fail("this identity has a key above already");
    }
  }
  if (keys.empty()) throw std::runtime_error(fmt::format("{}: has no key", file.string()));
  return keys;
}

}  // namespace hub::broker
