// The hub on the open internet's side: TLS, pre-shared keys and Unix sockets, with mosquitto's
// clients.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/hub_process.h"

namespace hub::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class TlsListener : public testing::Test {
 protected:
  // In a directory tls/, for 127.0.0.1.
  void make_certificates(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments{
        built_program("iothub"), "tls", "init", path("tls"), "--name", "127.0.0.1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome made = run_program(arguments);
    ASSERT_EQ(made.exit_code, 0) << made.err;
  }
  // A hub with a plain listener and the one that `listener` describes.
  HubProcess::Options with(const std::string& listener) {
    const fs::path config = directory_.write("hub.toml", "[[listener]]\n" + listener);
    return {.more = {"--config", config.string()}};
  }
  static std::string port_of(const HubProcess& hub) {
    const std::string& line = hub.ready_line();
    const auto at = line.find(" mqtts://127.0.0.1:");
    if (at == std::string::npos) throw std::runtime_error("no TLS listener in " + line);
    const auto digits = line.find_last_of(':', line.find(' ', at + 1)) + 1;
    return line.substr(digits, line.find(' ', digits) - digits);
  }
  static Outcome publish(std::vector<std::string> options) {
    options.insert(options.begin(), "mosquitto_pub");
    options.insert(options.end(), {"-q", "1", "-t", "devices/d1/telemetry", "-m", R"({"n":1})"});
    return run_program(options);
  }
  static Outcome publish(const HubProcess& hub, std::vector<std::string> options) {
    options.insert(options.begin(), {"-h", "127.0.0.1", "-p", port_of(hub)});
    return publish(options);
  }
  [[nodiscard]] std::string path(const std::string& name) const {
    return (directory_.path() / name).string();
  }
  [[nodiscard]] std::string ca() const { return path("tls/ca.crt"); }
  static std::string rows(const HubProcess& hub) {
    return hub.query("select count(*) from telemetry");
  }

  static constexpr const char* kListener =
      "port = 0\n[listener.tls]\ncertificate = \"tls/server.crt\"\nkey = \"tls/server.key\"\n";
  TemporaryDirectory directory_;
};

TEST_F(TlsListener, TakesWhoeverTrustsItsCa) {
  make_certificates();
  HubProcess hub{with(kListener)};
  for (const char* version : {"tlsv1.2", "tlsv1.3"}) {
    const Outcome sent = publish(hub, {"--cafile", ca(), "--tls-version", version});
    EXPECT_EQ(sent.exit_code, 0) << version << sent.err;
  }
  EXPECT_EQ(rows(hub), "2");
  EXPECT_NE(publish(hub, {}).exit_code, 0) << "without TLS";
  EXPECT_TRUE(eventually([&] { return hub.log().find("TLS: ") != std::string::npos; }));
  EXPECT_EQ(rows(hub), "2");
  EXPECT_EQ(hub.stop(), 0);
}

TEST_F(TlsListener, DeliversToSubscribersOnOtherShards) {
  make_certificates();
  HubProcess hub{with(kListener)};
  std::vector<std::unique_ptr<RunningProgram>> subscribers;
  for (int i = 0; i < 4; ++i) {
    subscribers.push_back(std::make_unique<RunningProgram>(std::vector<std::string>{
        "stdbuf", "-oL", "mosquitto_sub", "-h", "127.0.0.1", "-p", port_of(hub), "--cafile", ca(),
        "-i", fmt::format("s{}", i), "-t", "devices/#", "-q", "1", "-d"}));
    (void)subscribers.back()->wait_for_line("Subscribed");
  }
  const std::string large(200'000, 'x');
  directory_.write("large", large);
  const Outcome sent =
      run_program({"mosquitto_pub", "-h", "127.0.0.1", "-p", port_of(hub), "--cafile", ca(), "-q",
                   "1", "-t", "devices/d1/other", "-f", path("large")});
  EXPECT_EQ(sent.exit_code, 0) << sent.err;
  for (const auto& subscriber : subscribers) {
    EXPECT_EQ(subscriber->wait_for_line("xxx").size(), large.size());
  }
}

TEST_F(TlsListener, AsksForACertificateOfItsCa) {
  make_certificates({"--device", "pump-1"});
  const Outcome other = run_program(
      {built_program("iothub"), "tls", "init", path("strangers"), "--device", "pump-1"});
  ASSERT_EQ(other.exit_code, 0) << other.err;
  HubProcess hub{with(std::string{kListener} +
                      "client_certificates = \"required\"\nclient_ca = \"tls/ca.crt\"\n")};
  const auto with_certificate = [&](const std::string& directory) {
    return publish(hub, {"--cafile", ca(), "--cert", path(directory + "/pump-1.crt"), "--key",
                         path(directory + "/pump-1.key")});
  };
  const Outcome sent = with_certificate("tls");
  EXPECT_EQ(sent.exit_code, 0) << sent.err;
  EXPECT_NE(publish(hub, {"--cafile", ca()}).exit_code, 0);
  EXPECT_NE(with_certificate("strangers").exit_code, 0);
  EXPECT_TRUE(eventually([&] {
    return hub.log().find("peer did not return a certificate") != std::string::npos;
  })) << hub.log();
  EXPECT_EQ(rows(hub), "1");
}

TEST_F(TlsListener, TakesPreSharedKeysAlone) {
  directory_.write("keys", "pump-1:00112233445566778899aabbccddeeff\n");
  fs::permissions(path("keys"), fs::perms{0600});
  HubProcess hub{with("port = 0\n[listener.tls]\npsk_file = \"keys\"\n")};
  const Outcome sent =
      publish(hub, {"--psk-identity", "pump-1", "--psk", "00112233445566778899aabbccddeeff"});
  EXPECT_EQ(sent.exit_code, 0) << sent.err;
  EXPECT_NE(publish(hub, {"--psk-identity", "pump-1", "--psk", "ff112233445566778899aabbccddeeff"})
                .exit_code,
            0);
  EXPECT_EQ(rows(hub), "1");
}

TEST_F(TlsListener, ReadsItsCertificatesAnewWithoutDroppingAConnection) {
  make_certificates();
  HubProcess hub{with(kListener)};
  RunningProgram subscriber{{"stdbuf", "-oL", "mosquitto_sub", "-h", "127.0.0.1", "-p",
                             port_of(hub), "--cafile", ca(), "-t", "devices/#", "-q", "1", "-d"}};
  (void)subscriber.wait_for_line("Subscribed");
  fs::rename(path("tls"), path("before"));
  make_certificates();  // of another CA
  ASSERT_EQ(::kill(hub.pid(), SIGHUP), 0);
  ASSERT_TRUE(eventually([&] { return hub.log().find("were read anew") != std::string::npos; }))
      << hub.log();
  const Outcome sent = publish(hub, {"--cafile", ca()});
  EXPECT_EQ(sent.exit_code, 0) << sent.err;
  EXPECT_EQ(subscriber.wait_for_line("{\"n\""), R"({"n":1})");
  EXPECT_NE(publish(hub, {"--cafile", path("before/ca.crt")}).exit_code, 0);
  // What is wrong changes nothing.
  directory_.write("tls/server.key", "nonsense");
  fs::permissions(path("tls/server.key"), fs::perms{0600});
  ASSERT_EQ(::kill(hub.pid(), SIGHUP), 0);
  ASSERT_TRUE(eventually(
      [&] { return hub.log().find("server.key: holds no private key") != std::string::npos; }));
  EXPECT_EQ(publish(hub, {"--cafile", ca()}).exit_code, 0);
}

TEST_F(TlsListener, ReadsAFileAnewThatHasChanged) {
  make_certificates();
  HubProcess hub{with(kListener)};
  fs::remove_all(path("tls"));
  make_certificates();
  ASSERT_TRUE(eventually([&] { return hub.log().find("were read anew") != std::string::npos; }))
      << hub.log();
  EXPECT_EQ(publish(hub, {"--cafile", ca()}).exit_code, 0);
}

TEST_F(TlsListener, IsRefusedWithWhatIsWrong) {
  make_certificates();
  fs::permissions(path("tls/server.key"), fs::perms{0644});
  auto options = with(kListener);
  options.wait_until_ready = false;
  HubProcess hub{options};
  ASSERT_TRUE(eventually([&] { return !hub.running(); }));
  EXPECT_THAT(hub.log(), HasSubstr("server.key: every user of this machine can open this secret; "
                                   "chmod o= "));
  const Outcome checked = run_program(
      {built_program("iothub"), "check", "--config", path("hub.toml"), "--data-dir", path("data")});
  EXPECT_EQ(checked.exit_code, 1);
  EXPECT_THAT(checked.out, HasSubstr("hub.toml:1:1: [[listener]]: "));
  EXPECT_THAT(checked.out, HasSubstr("chmod o= "));
}

TEST_F(TlsListener, AUnixSocketServesThisMachineOnly) {
  HubProcess hub{with("unix = \"mqtt.sock\"\n")};
  EXPECT_THAT(hub.ready_line(), HasSubstr(" mqtt+unix://" + path("mqtt.sock")));
  EXPECT_EQ(fs::status(path("mqtt.sock")).permissions(), fs::perms{0660});
  for (int i = 0; i < 8; ++i) {
    const Outcome sent = publish({"--unix", path("mqtt.sock")});
    ASSERT_EQ(sent.exit_code, 0) << sent.err;
  }
  EXPECT_EQ(rows(hub), "8");
  hub.kill();
  hub.start();  // takes the place of the file that was left behind
  EXPECT_EQ(publish({"--unix", path("mqtt.sock")}).exit_code, 0);
  EXPECT_EQ(hub.stop(), 0);
  EXPECT_FALSE(fs::exists(path("mqtt.sock")));
}

}  // namespace
}  // namespace hub::test
