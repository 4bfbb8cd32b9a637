#include "tests/e2e/control_plane_process.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sched.h>
#include <signal.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <random>

#include "instances/provider/local_provider.h"
#include "instances/provider/namespaces.h"
#include "instances/provider/process_handle.h"
#include "tests/support/raw_mqtt_client.h"
#include "tests/support/temporary_directory.h"

namespace hub::test {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
namespace machine = instances::testing;

std::string random_name() {
  std::random_device random;
  return fmt::format("m{:06x}", random() & 0xffffff);
}

}  // namespace

void leave_the_machines_network() {
  if (::unshare(CLONE_NEWNET) != 0)
    throw std::runtime_error("network namespaces need root: run this as root");
  if (run_program({"ip", "link", "set", "lo", "up"}).exit_code != 0)
    throw std::runtime_error("ip cannot set the loopback interface up");
}

ControlPlaneProcess::ControlPlaneProcess(std::vector<std::string> flags)
    : installation_(random_name()), flags_(std::move(flags)) {
  start();
}

ControlPlaneProcess::~ControlPlaneProcess() {
  if (serve_) serve_->end(SIGTERM);
  const auto provider = instances::make_local_provider(provider_options());
  auto left = provider->list();
  // What stands on other things goes first.
  std::sort(left.begin(), left.end(), [](const auto& a, const auto& b) { return a.kind > b.kind; });
  for (const auto& owned : left) provider->remove(owned.kind, owned.id);
}

void ControlPlaneProcess::start() {
  std::vector<std::string> arguments{
      program(),         "manage",         "serve",       "--port",        "7880",     "--data-dir",
      folder().string(), "--installation", installation_, "--public-host", "127.0.0.1"};
  arguments.insert(arguments.end(), flags_.begin(), flags_.end());
  serve_ = std::make_unique<RunningProgram>(arguments);
  if (!eventually([&] { return serve_->err().find("serves http") != std::string::npos; }))
    throw std::runtime_error("the control plane does not start: " + serve_->err());
}

void ControlPlaneProcess::stop() {
  serve_->end(SIGTERM);
  serve_.reset();
}

void ControlPlaneProcess::kill() {
  serve_->end(SIGKILL);
  serve_.reset();
}

Outcome ControlPlaneProcess::call(const std::string& account,
                                  std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), {program(), "manage"});
  return run_program(arguments, environment(account));
}

std::unique_ptr<RunningProgram> ControlPlaneProcess::begin(
    const std::string& account, std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), {program(), "manage"});
  return std::make_unique<RunningProgram>(arguments, environment(account));
}

std::string ControlPlaneProcess::done(const std::string& account,
                                      const std::vector<std::string>& arguments) const {
  const auto outcome = call(account, arguments);
  if (outcome.exit_code != 0)
    throw std::runtime_error(
        fmt::format("{}: {}{}", fmt::join(arguments, " "), outcome.out, outcome.err));
  return outcome.out;
}

std::vector<json::object> ControlPlaneProcess::list(const std::string& account,
                                                    const std::string& kind) const {
  std::vector<json::object> items;
  const auto listing = json::parse(done(account, {kind, "list", "--json"}));
  for (const auto& item : listing.as_array()) items.push_back(item.as_object());
  return items;
}

json::object ControlPlaneProcess::only(const std::string& account, const std::string& kind) const {
  const auto all = list(account, kind);
  return all.empty() ? json::object{} : all.front();
}

void ControlPlaneProcess::make_account(const std::string& name, const std::string& identity) const {
  done("", {"account", "create", name});
  done("", {"account", "verify", name, "--personal", "--name", name, "--id-number", identity});
  done("", {"wallet", "deposit", name, "100.00"});
  done(name, {"vpc", "create", "--name", "plant", "--cidr", "10.1.0.0/16"});
  done(name, {"subnet", "create", "--vpc", "plant", "--name", "line1", "--cidr", "10.1.1.0/28"});
  done(name, {"rds", "create", "--name", "db", "--vpc", "plant", "--subnet", "line1", "--yes"});
}

std::vector<std::string> ControlPlaneProcess::create_hub() {
  return {"hub",      "create", "--name", "hub1", "--vpc", "plant",
          "--subnet", "line1",  "--rds",  "db",   "--yes"};
}

void ControlPlaneProcess::remove_account(const std::string& name) const {
  if (!only(name, "hub").empty()) done(name, {"hub", "delete", "hub1", "--yes"});
  done(name, {"rds", "delete", "db", "--yes"});
  done(name, {"subnet", "delete", "line1", "--yes"});
  done(name, {"vpc", "delete", "plant", "--yes"});
}

std::uint16_t ControlPlaneProcess::public_port(const std::string& account) const {
  const auto endpoint = text_in(only(account, "hub"), "publicEndpoint");
  return static_cast<std::uint16_t>(std::stoi(endpoint.substr(endpoint.find(':') + 1)));
}

std::string ControlPlaneProcess::query(const std::string& account, const std::string& sql) const {
  const auto id = text_in(only(account, "rds"), "instanceId");
  const auto home = folder() / "instances" / "databases" / id / "home";
  return psql(fmt::format("postgresql:///iothub?host={}&port=5432&user=postgres", home.string()),
              sql);
}

std::string ControlPlaneProcess::query_records(const std::string& sql) const {
  auto url = read_file(folder() / "database-url");
  while (url.ends_with('\n')) url.pop_back();
  return psql(url, sql);
}

void ControlPlaneProcess::kill_hub(const std::string& account) const {
  const auto inside = namespace_of(text_in(only(account, "hub"), "instanceId"));
  for (const auto pid : instances::processes_in_namespace(inside)) ::kill(pid, SIGKILL);
}

std::string ControlPlaneProcess::namespace_of(const std::string& instance_id) const {
  return installation_ + "-p-" + instance_id;
}

std::set<std::string> ControlPlaneProcess::on_machine() const {
  std::set<std::string> found;
  for (const auto& name : instances::namespaces_with_prefix(installation_ + "-")) {
    found.insert("namespace " + name);
    // Not those that enter a VPC's for a moment, or to forward into it.
    if (name.starts_with(namespace_of("")) && !instances::processes_in_namespace(name).empty())
      found.insert("processes in " + name);
    const auto text = run_program({"ip", "-json", "-netns", name, "link"}).out;
    const auto links = json::parse(text.empty() ? "[]" : text);
    for (const auto& link : links.as_array())
      if (const auto* id = link.as_object().if_contains("ifalias"))
        found.insert("link " + std::string(id->as_string()));
  }
  for (const char* kind : {"databases", "hubs", "endpoints"}) {
    const auto folders = provider_options().data_dir / kind;
    if (!fs::exists(folders)) continue;
    for (const auto& entry : fs::directory_iterator(folders)) {
      const auto name = fmt::format("{}/{}", kind, entry.path().filename().string());
      found.insert("folder " + name);
      for (const auto pid : instances::all_processes())
        if (read_file(fmt::format("/proc/{}/cmdline", pid)).find(name) != std::string::npos)
          found.insert("process of " + name);
    }
  }
  return found;
}

std::vector<std::string> ControlPlaneProcess::left_behind() const {
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator("/run/netns"))
    if (entry.path().filename().string().starts_with(installation_)) found.push_back(entry.path());
  for (const char* kind : {"databases", "hubs", "endpoints"})
    if (const auto kept = folder() / "instances" / kind; fs::exists(kept))
      for (const auto& entry : fs::directory_iterator(kept)) found.push_back(entry.path());
  if (!machine::eventually([&] { return machine::processes_of(provider_options()).empty(); }))
    for (const auto pid : machine::processes_of(provider_options()))
      found.push_back(fmt::format("process {}", pid));
  for (const char* controller : {"", "memory", "blkio"})
    if (const auto group = fs::path("/sys/fs/cgroup") / controller / installation_;
        fs::exists(group))
      found.push_back(group);
  if (const auto rules = run_program({"nft", "list", "ruleset"}).out; !rules.empty())
    found.push_back("in the machine's own namespace: " + rules);
  // It began with a loopback interface.
  const auto links = run_program({"ip", "-oneline", "link"}).out;
  if (std::count(links.begin(), links.end(), '\n') != 1)
    found.push_back("in the machine's own namespace: " + links);
  return found;
}

std::string ControlPlaneProcess::program() {
  return fs::read_symlink("/proc/self/exe").parent_path() / "iothub";
}

RunOptions ControlPlaneProcess::environment(const std::string& account) const {
  const auto profile = json::parse(read_file(folder() / "operator.json")).as_object();
  return {.environment = {"IOTHUB_MANAGE_TOKEN=" + text_in(profile, "token"),
                          "IOTHUB_MANAGE_ACCOUNT=" + account,
                          "XDG_CONFIG_HOME=" + (data_.path() / "config").string()}};
}

instances::ProviderOptions ControlPlaneProcess::provider_options() const {
  return {.installation = installation_,
          .data_dir = folder() / "instances",
          .program = program(),
          .public_host = {}};
}

std::string text_in(const json::object& object, const char* name) {
  return std::string(object.at(name).as_string());
}

std::int64_t number_in(const json::object& object, const char* name) {
  return object.at(name).to_number<std::int64_t>();
}

::testing::AssertionResult publish(std::uint16_t port, const std::string& device,
                                   const std::string& payload) {
  try {
    RawMqttClient client{port};
    client.connect(device);
    client.publish("devices/" + device + "/telemetry", payload, Qos::at_least_once, 1);
    const auto reason = client.expect_ack(mqtt::PacketType::puback, 1);
    if (reason >= 0x80) return ::testing::AssertionFailure() << fmt::format("{:#04x}", reason);
    return ::testing::AssertionSuccess();
  } catch (const std::exception& error) {
    return ::testing::AssertionFailure() << error.what();
  }
}

}  // namespace hub::test
