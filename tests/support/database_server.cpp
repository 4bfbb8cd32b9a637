#include "tests/support/database_server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "storage/postgres_installation.h"
#include "tests/support/program.h"

namespace hub::test {

namespace fs = std::filesystem;
using storage::ChildProcess;
using Clock = ChildProcess::Clock;

namespace {

constexpr std::chrono::seconds kBound{60};

// The third and fourth field of /proc/<pid>/stat.
struct Stat {
  char state = 'X';
  pid_t parent = 0;
};

Stat stat_of(pid_t pid) {
  const std::string text = read_file(fmt::format("/proc/{}/stat", pid));
  const std::size_t name_end = text.rfind(')');
  Stat out;
  if (name_end == std::string::npos) return out;
  std::istringstream{text.substr(name_end + 1)} >> out.state >> out.parent;
  return out;
}

std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> out;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const pid_t pid = std::stoi(name);
    if (stat_of(pid).parent == parent) out.push_back(pid);
  }
  return out;
}

template <class F>
void for_each_file(const fs::path& directory, F f) {
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    struct stat info{};
    if (::lstat(entry.path().c_str(), &info) == 0 && S_ISREG(info.st_mode)) f(entry.path(), info);
  }
}

}  // namespace

std::optional<storage::ProcessUser> server_user() {
  if (::getuid() != 0) return std::nullopt;
  for (const char* name : {"postgres", "nobody"}) {
    if (auto user = storage::ProcessUser::named(name)) return user;
  }
  throw std::runtime_error("root needs a user `postgres` or `nobody` to run PostgreSQL as");
}

DatabaseServer::DatabaseServer(Options options)
    : options_(std::move(options)),
      programs_(storage::choose_installation(storage::PostgresInstallation::find_all(),
                                             std::nullopt, data())
                    .programs),
      user_(server_user()) {
  if (user_ && ::chown(directory_.path().c_str(), user_->uid, user_->gid) != 0) {
    throw std::runtime_error("cannot give a directory away");
  }
  make_files();
  if (can_lose_power()) {
    fs::copy_file(options_.write_loss_library, directory_.path() / "write_loss.so");
    fs::create_directory(synced());
    if (user_) (void)!::chown(synced().c_str(), user_->uid, user_->gid);
  }
  start();
  if (can_lose_power()) settle_disk();
}

void DatabaseServer::make_files() {
  std::vector<std::string> arguments{programs_ / "initdb",
                                     "--pgdata",
                                     data(),
                                     "--username",
                                     "hub",
                                     "--auth",
                                     "trust",
                                     "--encoding",
                                     "UTF8",
                                     "--locale",
                                     "C.UTF-8",
                                     "--no-sync",
                                     "--no-instructions",
                                     "--wal-segsize",
                                     "1"};
  if (options_.standby_of != nullptr) {
    arguments = {programs_ / "pg_basebackup",
                 "--pgdata",
                 data(),
                 "--host",
                 options_.standby_of->socket_directory(),
                 "--username",
                 "hub",
                 "--checkpoint=fast",
                 "--write-recovery-conf",
                 "--no-sync",
                 "--wal-method=stream"};
  }
  auto program = run(std::move(arguments), false);
  const auto status = program.wait_until(Clock::now() + kBound);
  if (!status || !status->success()) throw std::runtime_error("no cluster was made:\n" + log());
}

DatabaseServer::~DatabaseServer() {
  try {
    resume();
    end(SIGQUIT);
  } catch (const std::exception&) {
    // Its ChildProcess kills it.
  }
}

std::string DatabaseServer::url(std::string_view database) const {
  return fmt::format("postgresql:///{}?host={}&user=hub", database, directory_.path().string());
}

std::string DatabaseServer::socket_path() const { return directory_.path() / ".s.PGSQL.5432"; }

ChildProcess DatabaseServer::run(std::vector<std::string> arguments, bool lossy) {
  const int log_file =
      ::open((directory_.path() / "log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  storage::ProcessSpec spec;
  spec.arguments = std::move(arguments);
  spec.environment = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"};
  if (lossy) {
    spec.environment.push_back("LD_PRELOAD=" + (directory_.path() / "write_loss.so").string());
    spec.environment.push_back("WRITE_LOSS_SYNCED=" + synced().string());
  }
  spec.user = user_;
  spec.output = log_file;
  spec.death_signal = SIGQUIT;
  auto process = ChildProcess::start(spec);
  ::close(log_file);
  return process;
}

void DatabaseServer::start() {
  if (server_) return;
  std::vector<std::string> arguments{programs_ / "postgres", "-D", data(), "-k",
                                     socket_directory()};
  const auto set = [&](std::string setting) {
    arguments.insert(arguments.end(), {"-c", std::move(setting)});
  };
  for (const char* setting :
       {"listen_addresses=", "wal_sync_method=fdatasync", "shared_buffers=32MB",
        "max_connections=80", "jit=off", "wal_recycle=on", "min_wal_size=16MB", "max_wal_size=64MB",
        "checkpoint_timeout=30s", "log_line_prefix=%m [%p] %e ", "restart_after_crash=on"}) {
    set(setting);
  }
  set(options_.fsync ? "fsync=on" : "fsync=off");
  for (const std::string& setting : options_.settings) set(setting);
  const auto until = Clock::now() + kBound;
  while (!server_) {
    server_ = run(arguments, can_lose_power());
    while (PQping(url("postgres").c_str()) != PQPING_OK) {
      if (Clock::now() > until) throw std::runtime_error("PostgreSQL did not start:\n" + log());
      if (server_->wait_until(Clock::now() + std::chrono::milliseconds(10))) {
        // The memory of a server that was killed may still be in use for a moment.
        server_.reset();
        break;
      }
    }
  }
}

void DatabaseServer::stop() { end(SIGINT); }
void DatabaseServer::crash() { end(SIGQUIT); }

void DatabaseServer::end(int signal) {
  if (!server_) return;
  server_->signal(signal);
  if (!server_->wait_until(Clock::now() + kBound)) {
    throw std::runtime_error("PostgreSQL did not stop:\n" + log());
  }
  server_.reset();
}

void DatabaseServer::kill() {
  if (!server_) return;
  server_->signal(SIGSTOP);  // so that it starts no further process
  const std::vector<pid_t> children = children_of(server_->pid());
  for (const pid_t child : children) ::kill(child, SIGKILL);
  end(SIGKILL);
  const auto until = Clock::now() + kBound;
  for (const pid_t child : children) {
    for (char state = stat_of(child).state; state != 'X' && state != 'Z';
         state = stat_of(child).state) {
      if (Clock::now() > until) throw std::runtime_error("a process did not end by SIGKILL");
      ::poll(nullptr, 0, 1);
    }
  }
}

void DatabaseServer::pause() {
  server_->signal(SIGSTOP);  // first, so that it starts no further process
  paused_ = children_of(server_->pid());
  for (const pid_t child : paused_) ::kill(child, SIGSTOP);
}

void DatabaseServer::resume() {
  for (const pid_t child : std::exchange(paused_, {})) ::kill(child, SIGCONT);
  if (server_) server_->signal(SIGCONT);
}

void DatabaseServer::promote() { (void)psql(url("postgres"), "SELECT pg_promote(wait := true)"); }

void DatabaseServer::power_cut() {
  kill();
  for_each_file(data(), [&](const fs::path& file, const struct stat& info) {
    const fs::path kept = synced() / std::to_string(info.st_ino);
    std::ifstream from(kept, std::ios::binary);
    std::ofstream to(file, std::ios::binary | std::ios::trunc);  // the same inode
    if (from && fs::file_size(kept) > 0) to << from.rdbuf();
  });
  keep_synced();
  const fs::path lock = data() / "postmaster.pid";
  if (fs::exists(lock) && fs::file_size(lock) == 0) fs::remove(lock);  // as its message says
}

void DatabaseServer::settle_disk() {
  end(SIGINT);
  keep_synced();
  start();
}

void DatabaseServer::keep_synced() {
  fs::remove_all(synced());
  fs::create_directory(synced());
  if (user_) (void)!::chown(synced().c_str(), user_->uid, user_->gid);
  for_each_file(data(), [&](const fs::path& file, const struct stat& info) {
    const fs::path kept = synced() / std::to_string(info.st_ino);
    fs::copy_file(file, kept);
    if (user_) (void)!::chown(kept.c_str(), user_->uid, user_->gid);
  });
}

std::string DatabaseServer::log() const { return read_file(directory_.path() / "log"); }

}  // namespace hub::test
