#include "manage/serve.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>

#include "api/manage/manage_api.h"
#include "base/log.h"
#include "base/service_manager.h"
#include "http/server.h"
#include "instances/accounts/accounts.h"
#include "instances/control_plane.h"
#include "instances/provider/local_provider.h"
#include "manage/profile.h"
#include "storage/data_directory.h"
#include "storage/embedded_database.h"
#include "storage/migration.h"

namespace hub::manage {
namespace {

namespace fs = std::filesystem;
using namespace instances;

constexpr auto kTokenLife = std::chrono::hours{24 * 365};
constexpr auto kTokenReserve = std::chrono::hours{24 * 30};

// The control plane's own database, beside those of its accounts.
struct Store {
  explicit Store(const ServeOptions& options) : directory(options.data_dir) {
    if (!options.database.empty()) {
      url = options.database;
      return;
    }
    embedded = std::make_unique<storage::EmbeddedDatabase>(directory);
    embedded->start();
    url = embedded->url();
  }
  storage::DataDirectory directory;
  std::unique_ptr<storage::EmbeddedDatabase> embedded;
  std::string url;
};

std::unique_ptr<Provider> make_provider(const ServeOptions& options) {
  const ProviderOptions wanted{.installation = options.installation,
                               .data_dir = fs::absolute(options.data_dir) / "instances",
                               .program = fs::read_symlink("/proc/self/exe"),
                               .public_host = options.public_host};
  if (options.provider == "local") return make_local_provider(wanted);
  if (options.provider == "process") {
    log::warning(
        "--provider process: instances are plain processes of this machine, NOT isolated "
        "from each other; listings say so");
    return make_process_provider(wanted);
  }
  throw std::runtime_error(
      fmt::format("--provider is local or process, not '{}'", options.provider));
}

// A token of the operator for the command line on this machine; the one that is there if it lasts.
std::string operator_token(const Call& call, const fs::path& file) {
  const auto account = ensure_operator(call);
  if (fs::exists(file)) {
    const auto secret = read_profile(file).token;
    if (const auto principal = authenticate(call, secret))
      for (const auto& token : list_tokens(call, account.id))
        if (token.id == principal->token_id && token.expires_at > call.now + kTokenReserve)
          return secret;
  }
  for (const auto& token : list_tokens(call, account.id))
    if (token.name == "command-line") revoke_token(call, account.id, token.id);
  return create_token(call, account.id,
                      {"command-line", {"read", "write", "pay", "operator"}, call.now + kTokenLife})
      .secret;
}

// Who started this by sudo is its operator, too.
void give_to_sudo_user(const Profile& profile) {
  const char* uid = std::getenv("SUDO_UID");
  const passwd* user = uid ? getpwuid(static_cast<uid_t>(std::atoi(uid))) : nullptr;
  if (!user || user->pw_uid == 0) return;
  const auto file = fs::path(user->pw_dir) / ".config" / "iothub" / "manage.json";
  auto fresh = profile;
  if (fs::exists(file)) {
    const auto before = read_profile(file);
    if (before.url != profile.url || before.token == profile.token) return;
    fresh.account = before.account;
  }
  save_profile(fresh, file);
  for (const auto& path : {file.parent_path().parent_path(), file.parent_path(), file})
    if (lchown(path.c_str(), user->pw_uid, user->pw_gid) != 0)
      log::warning("{} cannot be given to {}", path.string(), user->pw_name);
}

int wait_for_the_end() {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGINT);
  sigaddset(&ends, SIGTERM);
  int signal = 0;
  sigwait(&ends, &signal);
  return signal;
}

// Before any thread is started, so that all of them inherit it.
void block_the_ends() {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGINT);
  sigaddset(&ends, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
}

}  // namespace

int serve(const ServeOptions& options) {
  block_the_ends();
  // Instances run as users of their own, and pass through the data directory; what is secret has
  // its permissions named where it is made.
  ::umask(022);
  if (options.first_public_port == 0 || options.first_public_port > options.last_public_port)
    throw std::runtime_error(
        fmt::format("--first-public-port {} is not before --last-public-port {}",
                    options.first_public_port, options.last_public_port));
  auto provider = make_provider(options);  // says at once what it lacks
  for (const auto& note : provider->notes()) log::warning("{}", note);
  const Store store{options};
  Database database{store.url};
  database.migrate();
  if (!database.try_become_only_one())
    throw std::runtime_error("another control plane works with this database: stop that one first");

  Settings settings;
  settings.first_public_port = options.first_public_port;
  settings.last_public_port = options.last_public_port;
  settings.free_units = options.free_units;
  settings.backup_dir = fs::absolute(options.data_dir) / "backups";
  const SystemClock clock;
  OperatorVerifier verifier;
  Claims claims;
  const auto clusters = make_cluster_admin(
      {.apply = [](const std::string& url) { storage::apply_migrations(url); },
       .problem = [](const std::string& url) { return storage::schema_problem(url); }});

  api::ManageApi manage_api{{.database = database,
                             .clock = clock,
                             .settings = settings,
                             .verifier = verifier,
                             .isolation = provider->isolation(),
                             .version = "1"}};
  http::Server server{{.address = options.address, .port = options.port},
                      [&](const http::Request& request) { return manage_api.handle(request); }};

  const auto file = options.data_dir / kOperatorProfile;
  Profile profile;
  profile.url = fmt::format("http://{}:{}", options.address, server.port());
  profile.token = database.transact(
      [&](Tx& tx) { return operator_token(Call{tx, clock.now(), settings}, file); });
  save_profile(profile, file);
  give_to_sudo_user(profile);

  const ControlPlane plane{{database, clock, settings, *provider, *clusters, claims}};
  log::info("the control plane serves {}; {}", profile.url,
            provider->isolation() == Isolation::namespaces ? "instances are isolated"
                                                           : "instances are NOT isolated");
  notify_service_manager("READY=1");
  wait_for_the_end();
  notify_service_manager("STOPPING=1");
  log::info("the control plane stops; instances go on");
  server.stop();
  return 0;
}

}  // namespace hub::manage
