#include "hub/listener_config.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "rules/diagnostics/diagnostic.h"

namespace hub {
namespace {

namespace fs = std::filesystem;
using broker::TlsOptions;

struct Target {
  Config::Listener& listener;
  TlsOptions& tls;
  const fs::path& directory;

  [[nodiscard]] fs::path path(const std::string& text) const { return directory / text; }
};

// A key of a table: what is expected of its value, and where that goes. `set` is false when the
// value is not as expected.
struct Key {
  std::string_view name;
  std::string_view expected;
  bool (*set)(const toml::node& value, Target& target);
};

std::optional<std::string> text_of(const toml::node& value) {
  const auto* text = value.as_string();
  if (text == nullptr || text->get().empty()) return std::nullopt;
  return text->get();
}

template <class F>
bool set_text(const toml::node& value, F use) {
  const auto text = text_of(value);
  return text && use(*text);
}

bool set_address(const toml::node& value, Target& to) {
  return set_text(value, [&](const std::string& text) {
    std::array<unsigned char, sizeof(in6_addr)> ignored{};
    to.listener.options.address = text;
    return ::inet_pton(AF_INET, text.c_str(), ignored.data()) == 1 ||
           ::inet_pton(AF_INET6, text.c_str(), ignored.data()) == 1;
  });
}

bool set_port(const toml::node& value, Target& to) {
  const auto* number = value.as_integer();
  if (number == nullptr || number->get() < 0 || number->get() > 65'535) return false;
  to.listener.options.port = static_cast<std::uint16_t>(number->get());
  return true;
}

bool set_unix(const toml::node& value, Target& to) {
  return set_text(value, [&](const std::string& text) {
    to.listener.options.unix_socket = to.path(text);
    return true;
  });
}

bool set_unix_mode(const toml::node& value, Target& to) {
  return set_text(value, [&](const std::string& text) {
    unsigned mode = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
    to.listener.options.unix_mode = static_cast<fs::perms>(mode);
    return error == std::errc{} && end == text.data() + text.size() && mode <= 0777;
  });
}

bool set_anonymous(const toml::node& value, Target& to) {
  const auto* flag = value.as_boolean();
  if (flag != nullptr) to.listener.allow_anonymous = flag->get();
  return flag != nullptr;
}

broker::WebSocketOptions& websocket(Target& to) {
  auto& options = to.listener.options.websocket;
  return options ? *options : options.emplace();
}

bool set_protocol(const toml::node& value, Target& to) {
  return set_text(value, [&](const std::string& text) {
    if (text == "websocket") (void)websocket(to);
    return text == "websocket" || text == "mqtt";
  });
}

bool set_texts(const toml::node& value, std::vector<std::string>& out) {
  const auto* texts = value.as_array();
  if (texts == nullptr || texts->empty()) return false;
  out.clear();
  for (const toml::node& node : *texts) {
    const auto text = text_of(node);
    if (!text) return false;
    out.push_back(*text);
  }
  return true;
}

bool set_paths(const toml::node& value, Target& to) {
  auto& paths = websocket(to).paths;
  return set_texts(value, paths) && std::all_of(paths.begin(), paths.end(), [](const auto& path) {
           return path.starts_with('/');
         });
}

bool set_origins(const toml::node& value, Target& to) {
  return set_texts(value, websocket(to).origins);
}

constexpr std::array kListenerKeys{
    Key{"address", "an IPv4 or IPv6 address", set_address},
    Key{"port", "a number from 0 to 65535", set_port},
    Key{"unix", "a path", set_unix},
    Key{"unix_mode", "a mode, as \"0660\"", set_unix_mode},
    Key{"protocol", "mqtt or websocket", set_protocol},
    Key{"paths", "paths, as [\"/mqtt\"]", set_paths},
    Key{"origins", "origins, as [\"https://console.example\"]", set_origins},
    Key{"allow_anonymous", "true or false", set_anonymous},
    Key{"tls", "a table", [](const toml::node& value, Target&) { return value.is_table(); }},
};

TlsOptions::Certificate& first_certificate(Target& to) {
  if (to.tls.certificates.empty()) to.tls.certificates.emplace_back();
  return to.tls.certificates.front();
}

template <fs::path TlsOptions::* kMember>
bool set_file(const toml::node& value, Target& to) {
  return set_text(value, [&](const std::string& text) {
    to.tls.*kMember = to.path(text);
    return true;
  });
}

template <fs::path TlsOptions::Certificate::* kMember>
bool set_certificate(const toml::node& value, Target& to) {
  return set_text(value, [&](const std::string& text) {
    first_certificate(to).*kMember = to.path(text);
    return true;
  });
}

template <std::string TlsOptions::* kMember>
bool set_names(const toml::node& value, Target& to) {
  return set_text(value, [&](const std::string& text) {
    to.tls.*kMember = text;
    return true;
  });
}

// The certificates of further servers.
bool set_more(const toml::node& value, Target& to) {
  const auto* tables = value.as_array();
  if (tables == nullptr) return false;
  (void)first_certificate(to);
  for (const toml::node& node : *tables) {
    const auto* table = node.as_table();
    if (table == nullptr || table->size() != 2) return false;
    const auto certificate = (*table)["certificate"].value<std::string>();
    const auto key = (*table)["key"].value<std::string>();
    if (!certificate || !key) return false;
    to.tls.certificates.push_back({to.path(*certificate), to.path(*key)});
  }
  return true;
}

bool set_client_certificates(const toml::node& value, Target& to) {
  using Wanted = TlsOptions::ClientCertificates;
  return set_text(value, [&](const std::string& text) {
    to.tls.client_certificates = text == "required"   ? Wanted::required
                                 : text == "optional" ? Wanted::optional
                                                      : Wanted::none;
    return text == "none" || text == "optional" || text == "required";
  });
}

bool set_min_version(const toml::node& value, Target& to) {
  return set_text(value, [&](const std::string& text) {
    to.tls.min_version =
        text == "1.3" ? TlsOptions::Version::tls_1_3 : TlsOptions::Version::tls_1_2;
    return text == "1.2" || text == "1.3";
  });
}

constexpr std::array kTlsKeys{
    Key{"certificate", "a path", set_certificate<&TlsOptions::Certificate::certificate>},
    Key{"key", "a path", set_certificate<&TlsOptions::Certificate::key>},
    Key{"more", "tables of certificate and key", set_more},
    Key{"client_certificates", "none, optional or required", set_client_certificates},
    Key{"client_ca", "a path", set_file<&TlsOptions::client_ca>},
    Key{"client_crl", "a path", set_file<&TlsOptions::client_crl>},
    Key{"psk_file", "a path", set_file<&TlsOptions::psk_file>},
    Key{"min_version", "\"1.2\" or \"1.3\"", set_min_version},
    Key{"ciphers", "names of ciphers, as OpenSSL has them", set_names<&TlsOptions::ciphers>},
    Key{"ciphersuites", "names of cipher suites of TLS 1.3", set_names<&TlsOptions::ciphersuites>},
};

class ListenerReader {
 public:
  ListenerReader(const fs::path& file, const TellProblem& problem)
      : file_(file), directory_(file.parent_path()), problem_(problem) {}

  // Nothing when there was a mistake.
  std::optional<Config::Listener> read(const toml::table& table) {
    mistakes_ = 0;
    const auto& at = table.source().begin;
    Config::Listener listener;
    listener.stated = fmt::format("{}:{}:{}: [[listener]]", file_.string(), at.line, at.column);
    TlsOptions tls;
    Target target{listener, tls, directory_};
    take(table, kListenerKeys, "listener.", target);
    if (const auto* inner = table["tls"].as_table()) {
      take(*inner, kTlsKeys, "listener.tls.", target);
      check_tls(*inner, tls);
      listener.options.tls = std::move(tls);
    }
    if ((table.contains("paths") || table.contains("origins")) &&
        table["protocol"].value_or(std::string_view{}) != "websocket") {
      mistake(table.source(), "paths and origins are those of protocol = \"websocket\"");
    }
    const bool is_unix = table.contains("unix");
    if (is_unix == table.contains("port")) {
      mistake(table.source(), is_unix ? "a listener has a port or a unix socket, not both"
                                      : "a listener needs a port, or a unix socket");
    }
    if (is_unix ? table.contains("address") : table.contains("unix_mode")) {
      mistake(table.source(),
              is_unix ? "a unix socket has no address" : "unix_mode is that of a unix socket");
    }
    if (mistakes_ > 0) return std::nullopt;
    return listener;
  }

 private:
  void take(const toml::table& table, std::span<const Key> keys, std::string_view prefix,
            Target& target) {
    for (const auto& [name, value] : table) {
      const auto key = std::find_if(keys.begin(), keys.end(),
                                    [&](const Key& known) { return known.name == name.str(); });
      if (key == keys.end()) {
        std::vector<std::string_view> known;
        for (const Key& each : keys) known.push_back(each.name);
        mistake(name.source(), fmt::format("there is no key {}{}{}", prefix,
                                           log::escape_control_characters(std::string(name.str())),
                                           rules::did_you_mean(name.str(), known)));
      } else if (!key->set(value, target)) {
        mistake(value.source(), fmt::format("{}{}: expected {}", prefix, key->name, key->expected));
      }
    }
  }

  void check_tls(const toml::table& table, const TlsOptions& tls) {
    if (table.contains("certificate") != table.contains("key") ||
        (table.contains("more") && !table.contains("key"))) {
      mistake(table.source(), "listener.tls needs both, certificate and key");
    }
    if (tls.certificates.empty() && tls.psk_file.empty()) {
      mistake(table.source(), "listener.tls needs certificate and key, or a psk_file");
    }
    if (!table.contains("client_certificates") &&
        (table.contains("client_ca") || table.contains("client_crl"))) {
      mistake(table.source(),
              "listener.tls has a client_ca or client_crl, and asks for no "
              "client_certificates");
    }
    const bool asks = tls.client_certificates != TlsOptions::ClientCertificates::none;
    if (asks && tls.client_ca.empty()) {
      mistake(table.source(),
              "listener.tls.client_certificates needs client_ca, which says who may "
              "have signed them");
    }
  }

  void mistake(const toml::source_region& where, const std::string& what) {
    ++mistakes_;
    problem_(where, what);
  }

  const fs::path& file_;
  const fs::path directory_;
  const TellProblem& problem_;
  int mistakes_ = 0;
};

}  // namespace

void read_listeners(const toml::node& listeners, const fs::path& file,
                    std::vector<Config::Listener>& out, const TellProblem& problem) {
  const auto* const tables = listeners.as_array();
  if (tables == nullptr || !tables->is_homogeneous(toml::node_type::table)) {
    problem(listeners.source(), "listener: expected tables, each under [[listener]]");
    return;
  }
  ListenerReader reader{file, problem};
  for (const toml::node& node : *tables) {
    if (auto listener = reader.read(*node.as_table())) out.push_back(std::move(*listener));
  }
}

}  // namespace hub
