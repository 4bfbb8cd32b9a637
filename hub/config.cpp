#include "hub/config.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "hub/config_file.h"
#include "hub/config_options.h"
#include "rules/diagnostics/diagnostic.h"

namespace hub {
namespace {

void apply_environment(const ConfigSources& sources, LoadedConfig& out) {
  std::vector<std::string> names;
  for (const auto& option : config_options()) names.push_back(option.variable());
  const std::vector<std::string_view> known(names.begin(), names.end());
  for (const auto& [name, value] : sources.environment) {
    bool taken = name == kConfigFileVariable;
    for (const auto& option : config_options()) {
      if (option.variable() != name) continue;
      taken = true;
      const std::string& stated = out.stated[option.key] =
          fmt::format("the environment's {}={}", name, shown_value(option, value));
      if (!option.set(out.config, value)) {
        out.problems.push_back(fmt::format("{}: expected {}", stated, option.expected));
      }
    }
    // Not a mistake in itself: others may name their variables so.
    const auto slip = rules::did_you_mean(name, known);
    if (!taken && !slip.empty()) {
      out.warnings.push_back(
          fmt::format("the environment has {}, which means nothing{}", name, slip));
    }
  }
}

void apply_flags(const ConfigSources& sources, LoadedConfig& out) {
  for (const auto& [key, value] : sources.flags) {
    const auto* option = find_config_option(key);
    if (option == nullptr) throw std::logic_error("no option " + key);
    const std::string& stated = out.stated[key] =
        fmt::format("{} {}", option->flag(), shown_value(*option, value));
    if (!option->set(out.config, value)) {
      out.bad_flag = true;
      out.problems.push_back(fmt::format("{}: expected {}", stated, option->expected));
    }
  }
}

// Whoever gets through the handshake has shown who he is.
bool asks_who_connects(const broker::ListenerOptions& options) {
  if (!options.tls) return false;
  return options.tls->client_certificates == broker::TlsOptions::ClientCertificates::required ||
         options.tls->certificates.empty();  // pre-shared keys only
}

void check_listener(const Config::Listener& listener, LoadedConfig& out) {
  const broker::ListenerOptions& options = listener.options;
  const bool is_local = !options.unix_socket.empty() || is_loopback(options.address);
  if (is_local || listener.allow_anonymous || asks_who_connects(options)) return;
  out.problems.push_back(fmt::format(
      "{}: other machines could connect to {} port {} without credentials; set "
      "listener.tls.client_certificates = \"required\", or allow_anonymous = true in this listener "
      "if whoever reaches that address may connect",
      listener.stated, options.address, options.port));
}

// What can be wrong although each value is right.
void check_together(LoadedConfig& out) {
  auto& config = out.config;
  config.plain_listener =
      config.listeners.empty() || out.stated.contains("bind") || out.stated.contains("mqtt.port");
  for (const Config::Listener& listener : config.listeners) check_listener(listener, out);
  if (config.plain_listener && !config.allow_anonymous && !is_loopback(config.bind)) {
    out.problems.push_back(
        fmt::format("{}: other machines could connect without credentials; set "
                    "allow_anonymous = true (--allow-anonymous, IOTHUB_ALLOW_ANONYMOUS=true) if "
                    "whoever reaches that address may, or bind = 127.0.0.1",
                    out.stated["bind"]));
  }
  if (config.max_daily_messages > 0 && config.meter.empty()) {
    out.problems.push_back(out.stated["max_daily_messages"] +
                           ": there is no meter that counts them; set meter to a name, too");
  }
}

}  // namespace

std::string shown_value(const ConfigOption& option, std::string_view value) {
  return option.key == "database" ? without_password(value) : log::escape_control_characters(value);
}

LoadedConfig load_config(const ConfigSources& sources) {
  LoadedConfig out;
  if (sources.file) apply_config_file(*sources.file, out);
  apply_environment(sources, out);
  apply_flags(sources, out);
  check_together(out);
  return out;
}

std::vector<std::pair<std::string, std::string>> process_environment() {
  std::vector<std::pair<std::string, std::string>> out;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const auto equals = text.find('=');
    if (!text.starts_with("IOTHUB_") || equals == std::string_view::npos) continue;
    out.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return out;
}

bool is_loopback(const std::string& address) {
  in_addr v4{};
  if (::inet_pton(AF_INET, address.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  return ::inet_pton(AF_INET6, address.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

std::string without_password(std::string_view database_url) {
  std::string out(database_url);
  constexpr std::string_view kHidden = "***";
  // postgresql://user:password@host/…
  if (const auto scheme = out.find("://"); scheme != std::string::npos) {
    const auto start = scheme + 3;
    const auto at = out.rfind('@', out.find('?', start));
    const auto colon = out.find(':', start);
    if (at != std::string::npos && at > start && colon < at) {
      out.replace(colon + 1, at - colon - 1, kHidden);
    }
  }
  // …?password=… and key=value strings, whose values may be quoted.
  for (auto from = out.find("password="); from != std::string::npos;
       from = out.find("password=", from)) {
    from += std::strlen("password=");
    const bool quoted = from < out.size() && out[from] == '\'';
    auto end = quoted ? from + 1 : from;
    while (end < out.size() && (quoted ? out[end] != '\'' : out[end] != '&' && out[end] != ' ')) {
      end += out[end] == '\\' ? 2 : 1;
    }
    end = std::min(end + (quoted ? 1 : 0), out.size());
    out.replace(from, end - from, kHidden);
  }
  return out;
}

}  // namespace hub
