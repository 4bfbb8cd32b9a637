// What stands under [[listener]].
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "hub/config.h"
#include "tests/support/temporary_directory.h"

namespace hub {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ListenerConfig : public ::testing::Test {
 protected:
  LoadedConfig load(const std::string& text) {
    return load_config(
        {.file = directory_.write("hub.toml", text), .environment = {}, .flags = {}});
  }
  // The problems without the file's name.
  std::vector<std::string> problems(const std::string& text) {
    std::vector<std::string> out = load(text).problems;
    const std::string prefix = (directory_.path() / "hub.toml").string() + ":";
    for (std::string& problem : out) {
      if (problem.starts_with(prefix)) problem.erase(0, prefix.size());
    }
    return out;
  }

  test::TemporaryDirectory directory_;
};

TEST_F(ListenerConfig, SaysWhereAndWhatIsSpoken) {
  const auto loaded = load(R"(
[[listener]]
address = "::1"
port = 8883
[listener.tls]
certificate = "tls/a.crt"
key = "/etc/a.key"
more = [{ certificate = "b.crt", key = "b.key" }]
client_certificates = "optional"
client_ca = "ca.crt"
client_crl = "crl.pem"
psk_file = "keys"
min_version = "1.3"
ciphers = "ECDHE"
ciphersuites = "TLS_AES_128_GCM_SHA256"

[[listener]]
unix = "mqtt.sock"
unix_mode = "0666"
protocol = "websocket"
paths = ["/mqtt", "/"]
origins = ["https://a.example"]
)");
  ASSERT_THAT(loaded.problems, IsEmpty());
  ASSERT_EQ(loaded.config.listeners.size(), 2u);
  const auto& first = loaded.config.listeners[0].options;
  EXPECT_EQ(first.address, "::1");
  EXPECT_EQ(first.port, 8883);
  EXPECT_FALSE(first.websocket);
  ASSERT_TRUE(first.tls);
  ASSERT_EQ(first.tls->certificates.size(), 2u);
  EXPECT_EQ(first.tls->certificates[0].certificate, directory_.path() / "tls/a.crt");
  EXPECT_EQ(first.tls->certificates[0].key, "/etc/a.key");
  EXPECT_EQ(first.tls->certificates[1].key, directory_.path() / "b.key");
  EXPECT_EQ(first.tls->client_certificates, broker::TlsOptions::ClientCertificates::optional);
  EXPECT_EQ(first.tls->client_ca, directory_.path() / "ca.crt");
  EXPECT_EQ(first.tls->client_crl, directory_.path() / "crl.pem");
  EXPECT_EQ(first.tls->psk_file, directory_.path() / "keys");
  EXPECT_EQ(first.tls->min_version, broker::TlsOptions::Version::tls_1_3);
  EXPECT_EQ(first.tls->ciphers, "ECDHE");
  EXPECT_EQ(first.tls->ciphersuites, "TLS_AES_128_GCM_SHA256");
  const auto& second = loaded.config.listeners[1].options;
  EXPECT_EQ(second.unix_socket, directory_.path() / "mqtt.sock");
  EXPECT_EQ(second.unix_mode, std::filesystem::perms{0666});
  ASSERT_TRUE(second.websocket);
  EXPECT_THAT(second.websocket->paths, ElementsAre("/mqtt", "/"));
  EXPECT_THAT(second.websocket->origins, ElementsAre("https://a.example"));
}

TEST_F(ListenerConfig, TakesThePlaceOfTheShortForm) {
  EXPECT_TRUE(load("").config.plain_listener);
  EXPECT_FALSE(load("[[listener]]\nport = 1\n").config.plain_listener);
  EXPECT_TRUE(load("[mqtt]\nport = 2\n[[listener]]\nport = 1\n").config.plain_listener);
  EXPECT_TRUE(load("bind = \"::1\"\n[[listener]]\nport = 1\n").config.plain_listener);
}

TEST_F(ListenerConfig, NamesEachMistakeAtItsPlace) {
  EXPECT_THAT(problems("listener = 1\n"),
              ElementsAre("1:12: listener: expected tables, each under [[listener]]"));
  EXPECT_THAT(problems("[[listener]]\nport = 70000\nadress = \"::1\"\n"),
              ElementsAre("2:8: listener.port: expected a number from 0 to 65535",
                          "3:1: there is no key listener.adress; did you mean address?"));
  EXPECT_THAT(problems("[[listener]]\naddress = \"localhost\"\nport = 1\n"),
              ElementsAre("2:11: listener.address: expected an IPv4 or IPv6 address"));
  EXPECT_THAT(problems("[[listener]]\n"),
              ElementsAre("1:1: a listener needs a port, or a unix socket"));
  EXPECT_THAT(problems("[[listener]]\nunix = \"a\"\naddress = \"::1\"\n"),
              ElementsAre("1:1: a unix socket has no address"));
  EXPECT_THAT(problems("[[listener]]\nport = 1\nunix_mode = \"0600\"\n"),
              ElementsAre("1:1: unix_mode is that of a unix socket"));
  EXPECT_THAT(problems("[[listener]]\nport = 1\n[listener.tls]\npsk_file = \"k\"\n"
                       "client_ca = \"ca\"\n"),
              ElementsAre(HasSubstr("and asks for no client_certificates")));
  EXPECT_THAT(problems("[[listener]]\nport = 1\nunix = \"a\"\n"),
              ElementsAre("1:1: a listener has a port or a unix socket, not both"));
  EXPECT_THAT(problems("[[listener]]\nunix = \"a\"\nunix_mode = \"99\"\n"),
              ElementsAre("3:13: listener.unix_mode: expected a mode, as \"0660\""));
  EXPECT_THAT(problems("[[listener]]\nport = 1\nprotocol = \"http\"\n"),
              ElementsAre("3:12: listener.protocol: expected mqtt or websocket"));
  EXPECT_THAT(problems("[[listener]]\nport = 1\npaths = [\"/a\"]\n"),
              ElementsAre("1:1: paths and origins are those of protocol = \"websocket\""));
  EXPECT_THAT(problems("[[listener]]\nport = 1\nprotocol = \"websocket\"\npaths = [\"a\"]\n"),
              ElementsAre("4:9: listener.paths: expected paths, as [\"/mqtt\"]"));
  EXPECT_THAT(problems("[[listener]]\nport = 1\n[listener.tls]\nkey = \"k\"\n"),
              ElementsAre("3:1: listener.tls needs both, certificate and key"));
  EXPECT_THAT(problems("[[listener]]\nport = 1\n[listener.tls]\n"),
              ElementsAre("3:1: listener.tls needs certificate and key, or a psk_file"));
  EXPECT_THAT(problems("[[listener]]\nport = 1\n[listener.tls]\npsk_file = \"k\"\n"
                       "client_certificates = \"required\"\n"),
              ElementsAre(HasSubstr("3:1: listener.tls.client_certificates needs client_ca")));
  EXPECT_THAT(problems("[[listener]]\nport = 1\n[listener.tls]\npsk_file = \"k\"\n"
                       "min_version = \"1.1\"\n"),
              ElementsAre("5:15: listener.tls.min_version: expected \"1.2\" or \"1.3\""));
}

TEST_F(ListenerConfig, LetsNobodyInWithoutCredentialsFromOtherMachinesUntold) {
  const std::string open = "[[listener]]\naddress = \"0.0.0.0\"\nport = 1\n";
  const std::string tls = "[listener.tls]\ncertificate = \"c\"\nkey = \"k\"\n";
  EXPECT_THAT(problems(open), ElementsAre(HasSubstr("1:1: [[listener]]: other machines could "
                                                    "connect to 0.0.0.0 port 1")));
  EXPECT_THAT(problems(open + tls), ElementsAre(HasSubstr("without credentials")));
  EXPECT_THAT(problems(open + "allow_anonymous = true\n" + tls), IsEmpty());
  EXPECT_THAT(problems(open + tls + "client_ca = \"ca\"\nclient_certificates = \"optional\"\n"),
              ElementsAre(HasSubstr("without credentials")));
  EXPECT_THAT(problems(open + tls + "client_ca = \"ca\"\nclient_certificates = \"required\"\n"),
              IsEmpty());
  EXPECT_THAT(problems(open + tls + "psk_file = \"p\"\n"),
              ElementsAre(HasSubstr("without credentials")));
  EXPECT_THAT(problems(open + "[listener.tls]\npsk_file = \"p\"\n"), IsEmpty());
  EXPECT_THAT(problems("[[listener]]\nunix = \"s\"\n"), IsEmpty());
}

}  // namespace
}  // namespace hub
