#include "storage/embedded_cluster.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <system_error>

#include "storage/embedded_cluster_files.h"

namespace hub::storage {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr std::uintmax_t kMaxLogBytes = 8 << 20;
constexpr auto kLongestInitdb = 5min;

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void sync_directory(const fs::path& path) {
  const FileDescriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::fsync(directory.get()) != 0) fail("sync " + path.string());
}

std::optional<uid_t> owner_of(const fs::path& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return std::nullopt;
  return info.st_uid;
}

// Who the server runs as; see the class comment.
ProcessUser choose_user(const fs::path& data_directory, const fs::path& cluster) {
  const uid_t self = ::geteuid();
  const auto cluster_owner = owner_of(cluster);
  if (self != 0) {
    if (cluster_owner && *cluster_owner != self) {
      const auto owner = ProcessUser::with_id(*cluster_owner);
      throw EmbeddedDatabaseError(fmt::format(
          "the database in {} belongs to user {}: start the hub as root or as that user, or "
          "choose another directory with --data-dir",
          cluster.string(), owner ? owner->name : std::to_string(*cluster_owner)));
    }
    if (auto user = ProcessUser::with_id(self)) return *std::move(user);
    throw EmbeddedDatabaseError(
        fmt::format("user id {} has no entry in /etc/passwd, and PostgreSQL needs one: add one, or "
                    "use a database that runs already with --database postgresql://…",
                    self));
  }
  for (const auto owner : {cluster_owner, owner_of(data_directory)}) {
    if (!owner || *owner == 0) continue;
    if (auto user = ProcessUser::with_id(*owner)) return *std::move(user);
  }
  for (const auto* name : {"iothub", "postgres"}) {
    if (auto user = ProcessUser::named(name); user && user->uid != 0) return *std::move(user);
  }
  throw EmbeddedDatabaseError(
      "PostgreSQL does not run as root, and there is no user iothub or postgres to run it as: "
      "apt-get install postgresql, or useradd --system iothub");
}

// The person behind `sudo`, when there is one.
std::optional<ProcessUser> sudo_user() {
  const char* id = std::getenv("SUDO_UID");
  if (::geteuid() != 0 || id == nullptr) return std::nullopt;
  const auto uid = static_cast<uid_t>(std::strtoul(id, nullptr, 10));
  return uid == 0 ? std::nullopt : ProcessUser::with_id(uid);
}

std::optional<int> version_of(const fs::path& cluster) {
  const int version = std::atoi(read_text(cluster / "PG_VERSION").c_str());
  return version > 0 ? std::optional(version) : std::nullopt;
}

bool is_same_directory(const std::string& a, const fs::path& b) {
  struct stat first{}, second{};
  return ::stat(a.c_str(), &first) == 0 && ::stat(b.c_str(), &second) == 0 &&
         first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

// By its descriptor: whoever may write beside it cannot put a link in its place meanwhile.
void make_directory(const fs::path& path, const ProcessUser& owner, mode_t mode) {
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) fail("make " + path.string());
  const FileDescriptor directory(
      ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat info{};
  if (!directory || ::fstat(directory.get(), &info) != 0 ||
      (info.st_uid != owner.uid && info.st_uid != ::geteuid())) {
    throw EmbeddedDatabaseError(
        fmt::format("{} is in the way: it is not a directory of user {}; remove it", path.string(),
                    owner.name));
  }
  if (info.st_uid != owner.uid && ::fchown(directory.get(), owner.uid, owner.gid) != 0) {
    fail("give away " + path.string());
  }
  if (::fchmod(directory.get(), mode) != 0) fail("set the mode of " + path.string());
}

}  // namespace

EmbeddedCluster::EmbeddedCluster(const DataDirectory& directory)
    : data_directory_(directory.path()),
      cluster_(data_directory_ / "postgres"),
      log_(data_directory_ / "postgres.log"),
      user_(choose_user(data_directory_, cluster_)),
      installation_(
          choose_installation(PostgresInstallation::find_all(), version_of(cluster_), cluster_)) {
  choose_socket_directory();
  url_ = fmt::format("postgresql://{}@/{}?host={}&port={}", kEmbeddedRole, kEmbeddedDatabaseName,
                     socket_directory_.string(), kEmbeddedPort);
}

void EmbeddedCluster::choose_socket_directory() {
  const mode_t mode = sudo_user() ? 0711 : 0700;
  const auto near = data_directory_ / "socket";
  if (fits_socket_path(near)) {
    make_directory(near, user_, mode);
    if (can_write_in(user_, near)) {
      socket_directory_ = near;
      return;
    }
  }
  socket_directory_ = far_socket_directory(data_directory_, ::geteuid());
}

void EmbeddedCluster::create_if_missing() {
  if (fs::exists(cluster_)) {
    if (version_of(cluster_)) return;
    throw EmbeddedDatabaseError(fmt::format(
        "{} is in the way: it is not a PostgreSQL cluster; move it away, or choose another "
        "directory with --data-dir",
        cluster_.string()));
  }
  const auto unfinished = data_directory_ / "postgres.new";
  fs::remove_all(unfinished);
  make_directory(unfinished, user_, 0700);
  run_to_end(unfinished, "initdb",
             {"--username", std::string(kEmbeddedRole), "--auth-local=peer", "--auth-host=reject",
              "--encoding=UTF8", "--locale=C.UTF-8", "--data-checksums", "--no-instructions"},
             "");
  run_to_end(unfinished, "postgres", {"--single", "postgres"},
             // The role's name is that of the hub's own schema, which "$user" would stand for: the
             // tables of people belong to public.
             fmt::format("CREATE DATABASE {0};\nALTER DATABASE {0} SET search_path = public;\n",
                         kEmbeddedDatabaseName));
  fs::rename(unfinished, cluster_);
  sync_directory(data_directory_);
}

void EmbeddedCluster::configure() {
  std::vector<std::string> people{"root"};
  const auto add = [&](const std::optional<ProcessUser>& user) {
    if (user && std::find(people.begin(), people.end(), user->name) == people.end()) {
      people.push_back(user->name);
    }
  };
  add(user_);
  add(sudo_user());
  make_directory(socket_directory_, user_, sudo_user() ? 0711 : 0700);
  write_file(cluster_ / "postgresql.conf",
             cluster_settings(socket_directory_, installation_.major_version));
  write_file(cluster_ / "pg_hba.conf", cluster_access_rules());
  write_file(cluster_ / "pg_ident.conf", cluster_people(people));
  write_file(data_directory_ / "database-url", url_ + "\n", 0644);
}

void EmbeddedCluster::write_file(const fs::path& path, const std::string& text, mode_t mode) {
  auto unfinished = path;
  unfinished += ".new";
  // Root writes where another user may: never through a link that stands there.
  fs::remove(unfinished);
  const FileDescriptor file(
      ::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      (::geteuid() != user_.uid && ::fchown(file.get(), user_.uid, user_.gid) != 0) ||
      ::fchmod(file.get(), mode) != 0 || ::fsync(file.get()) != 0) {
    fail("write " + unfinished.string());
  }
  fs::rename(unfinished, path);
}

ChildProcess EmbeddedCluster::run(const fs::path& cluster, const std::string& program,
                                  std::vector<std::string> arguments, int input, int death_signal) {
  const FileDescriptor log(
      ::open(log_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!log) fail("open " + log_.string());
  log_start_ = fs::file_size(log_);
  const FileDescriptor directory(::open(cluster.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) fail("open " + cluster.string());

  // As root the way to the cluster may be closed to the server's user (/root is): it then goes by
  // the descriptor.
  const bool reachable = can_write_in(user_, cluster);
  ProcessSpec spec;
  spec.arguments = {(installation_.programs / program).string()};
  const auto place =
      reachable ? cluster.string() : fmt::format("/proc/self/fd/{}", int{ChildProcess::kKept});
  // `postgres --single` takes no other option first.
  const bool single = !arguments.empty() && arguments.front() == "--single";
  if (single) spec.arguments.emplace_back("--single");
  spec.arguments.insert(spec.arguments.end(), {"-D", place});
  spec.arguments.insert(spec.arguments.end(), arguments.begin() + (single ? 1 : 0),
                        arguments.end());
  spec.environment = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "HOME=" + user_.home,
                      "USER=" + user_.name, "LOGNAME=" + user_.name};
  if (::geteuid() != user_.uid) spec.user = user_;
  spec.input = input;
  spec.output = log.get();
  spec.kept = reachable ? -1 : directory.get();
  spec.death_signal = death_signal;
  return ChildProcess::start(spec);
}

void EmbeddedCluster::run_to_end(const fs::path& cluster, const std::string& program,
                                 std::vector<std::string> arguments, const std::string& input) {
  const FileDescriptor text(::memfd_create("input", MFD_CLOEXEC));
  if (!text || ::pwrite(text.get(), input.data(), input.size(), 0) < 0) {
    fail("prepare an input");
  }
  auto child = run(cluster, program, std::move(arguments), text.get(), SIGKILL);
  const auto status = child.wait_until(ChildProcess::Clock::now() + kLongestInitdb);
  if (status && status->success()) return;
  throw EmbeddedDatabaseError(fmt::format("the embedded database cannot be made: {} {}:\n{}",
                                          program, status ? status->to_string() : "did not end",
                                          log_since_start()));
}

std::optional<pid_t> EmbeddedCluster::previous_server() const {
  const auto pid = server_state(read_text(cluster_ / "postmaster.pid")).pid;
  if (pid <= 0 || !is_running(pid)) return std::nullopt;
  const auto process = fmt::format("/proc/{}", pid);
  if (read_text(process + "/comm") != "postgres\n") return std::nullopt;
  // The number may have gone to a server of another cluster; a server stands in its own.
  struct stat info{};
  const bool visible = ::stat((process + "/cwd").c_str(), &info) == 0;
  if (visible && !is_same_directory(process + "/cwd", cluster_)) return std::nullopt;
  return pid;
}

void EmbeddedCluster::forget_previous_server() {
  // PostgreSQL takes a process that nobody waited for, or that got its number since, for alive.
  fs::remove(cluster_ / "postmaster.pid");
  const auto socket = fmt::format(".s.PGSQL.{}", kEmbeddedPort);
  fs::remove(socket_directory_ / socket);
  fs::remove(socket_directory_ / (socket + ".lock"));
}

void EmbeddedCluster::tidy_up() noexcept {
  std::error_code ignored;
  if (socket_directory_.parent_path() != data_directory_) fs::remove(socket_directory_, ignored);
}

ChildProcess EmbeddedCluster::start_server() {
  // On the command line, where nothing in the cluster can undo it: what durability rests on, and
  // that there is no TCP port.
  return run(cluster_, "postgres",
             {"-c", "fsync=on", "-c", "full_page_writes=on", "-c", "listen_addresses=", "-c",
              "unix_socket_directories=" + socket_directory_.string(), "-c",
              fmt::format("port={}", kEmbeddedPort)},
             -1, SIGINT);
}

bool EmbeddedCluster::is_ready(pid_t server) const {
  const auto state = server_state(read_text(cluster_ / "postmaster.pid"));
  return state.pid == server && state.ready;
}

std::string EmbeddedCluster::log_since_start() const {
  constexpr std::size_t kMaxShown = 2000;
  const auto text = read_text(log_);
  auto shown = std::string_view(text).substr(std::min<std::uintmax_t>(log_start_, text.size()));
  if (shown.size() > kMaxShown) {
    shown.remove_prefix(shown.size() - kMaxShown);
    shown.remove_prefix(std::min(shown.find('\n') + 1, shown.size()));
  }
  return std::string(shown);
}

void EmbeddedCluster::bound_log() {
  std::error_code error;
  if (fs::file_size(log_, error) <= kMaxLogBytes || error) return;
  auto older = log_;
  older += ".1";
  // Copied and emptied, not renamed: the server holds the file open, and appends to it.
  fs::remove(older, error);
  fs::copy_file(log_, older, error);
  fs::resize_file(log_, 0, error);
  log_start_ = 0;
}

std::optional<std::string> embedded_database_url(const fs::path& data_directory) {
  auto text = read_text(data_directory / "database-url");
  text.erase(text.find_last_not_of('\n') + 1);
  if (!text.starts_with("postgresql://")) return std::nullopt;
  return text;
}

}  // namespace hub::storage
