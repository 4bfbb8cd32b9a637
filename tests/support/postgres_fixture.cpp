#include "tests/support/postgres_fixture.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <libpq-fe.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <sstream>
#include <stdexcept>
#include <vector>

namespace hub::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

constexpr auto kStartBound = std::chrono::seconds(30);

std::string binary(const char* name) {
  for (const char* directory :
       {"/usr/lib/postgresql/15/bin", "/usr/lib/postgresql/16/bin", "/usr/lib/postgresql/17/bin"}) {
    const fs::path path = fs::path(directory) / name;
    if (fs::exists(path)) return path;
  }
  throw std::runtime_error(
      fmt::format("no {} under /usr/lib/postgresql (apt install postgresql)", name));
}

// The user that the server runs as: PostgreSQL refuses root.
struct User {
  uid_t uid = getuid();
  gid_t gid = getgid();
};

User server_user() {
  if (getuid() != 0) return {};
  for (const char* name : {"postgres", "nobody"}) {
    if (const passwd* entry = getpwnam(name)) return {entry->pw_uid, entry->pw_gid};
  }
  return {65534, 65534};
}

[[noreturn]] void become(const User& user, const std::vector<std::string>& command) {
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  if (getuid() == 0 &&
      (setgroups(0, nullptr) != 0 || setgid(user.gid) != 0 || setuid(user.uid) != 0)) {
    _exit(126);
  }
  prctl(PR_SET_PDEATHSIG, SIGQUIT);  // after setuid, which clears it
  if (getppid() == 1) _exit(125);
  execv(argv[0], argv.data());
  _exit(127);
}

pid_t spawn(const User& user, const std::vector<std::string>& command, const std::string& log) {
  const pid_t pid = fork();
  if (pid < 0) throw std::runtime_error("fork failed");
  if (pid > 0) return pid;
  const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  const int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
  dup2(in, 0);
  dup2(out, 1);
  dup2(out, 2);
  if (chdir("/") != 0) _exit(124);
  become(user, command);
}

void run(const User& user, const std::vector<std::string>& command, const std::string& log) {
  int status = 0;
  if (waitpid(spawn(user, command, log), &status, 0) < 0 || status != 0) {
    std::ostringstream text;
    text << std::ifstream(log).rdbuf();
    throw std::runtime_error(fmt::format("{} failed: {}", command[0], text.str()));
  }
}

fs::path fresh_directory(const User& user, const std::string& stem) {
  std::string pattern = fs::temp_directory_path() / (stem + "XXXXXX");
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed in " + pattern);
  if (getuid() == 0 && chown(pattern.c_str(), user.uid, user.gid) != 0) {
    throw std::runtime_error("chown failed on " + pattern);
  }
  return pattern;
}

// One initdb serves every test program of a build: later ones copy its result.
void make_cluster(const User& user, const fs::path& directory) {
  const User self;
  const std::string log = directory / "log";
  const fs::path cache = HUB_TEST_CACHE_DIR;
  const fs::path ready = cache / fmt::format("cluster-{}", user.uid);
  fs::create_directories(cache);
  const int lock = open((cache / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  flock(lock, LOCK_EX);
  if (!fs::exists(ready)) {
    run(user,
        {binary("initdb"), "--pgdata", directory / "data", "--username", "hub", "--auth", "trust",
         "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync", "--no-instructions"},
        log);
    const fs::path partial = cache / fmt::format("cluster-{}.partial", user.uid);
    fs::remove_all(partial);
    run(self, {"/bin/cp", "-a", directory / "data", partial}, log);
    fs::rename(partial, ready);
  } else {
    run(self, {"/bin/cp", "-a", "--reflink=auto", ready, directory / "data"}, log);
  }
  close(lock);
}

// A process that outlives this one only to remove the directory once the server has gone.
int start_guard(const std::string& directory) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe failed");
  const pid_t pid = fork();
  if (pid < 0) throw std::runtime_error("fork failed");
  if (pid == 0) {
    dup2(ends[0], 0);
    setsid();
    const int null = open("/dev/null", O_WRONLY);
    dup2(null, 1);
    dup2(null, 2);
    execl("/bin/sh", "sh", "-c",
          "cat; n=0; while [ -e \"$0/data/postmaster.pid\" ] && [ $n -lt 100 ]; do "
          "sleep 0.05; n=$((n+1)); done; rm -rf \"$0\"",
          directory.c_str(), nullptr);
    _exit(127);
  }
  close(ends[0]);
  return ends[1];
}

void pause_briefly() { poll(nullptr, 0, 5); }

}  // namespace

PostgresServer& PostgresServer::instance() {
  static PostgresServer server;
  return server;
}

PostgresServer::PostgresServer() {
  const User user = server_user();
  directory_ = fresh_directory(user, "iothub-pg-");
  guard_ = start_guard(directory_);
  make_cluster(user, directory_);
  start();
}

PostgresServer::~PostgresServer() {
  end(SIGQUIT);
  close(guard_);
}

std::string PostgresServer::url(std::string_view database, std::string_view user) const {
  return fmt::format("postgresql:///{}?host={}&user={}", database, directory_, user);
}

std::string PostgresServer::socket_path() const { return directory_ + "/.s.PGSQL.5432"; }

void PostgresServer::start() {
  if (running()) return;
  pid_ = spawn(server_user(),
               {binary("postgres"),
                "-D",
                directory_ + "/data",
                "-k",
                directory_,
                "-c",
                "listen_addresses=",
                "-c",
                "fsync=off",
                "-c",
                "shared_buffers=64MB",
                "-c",
                "max_connections=60",
                "-c",
                "jit=off",
                "-c",
                "max_wal_size=2GB",
                "-c",
                "autovacuum_naptime=600",
                "-c",
                "deadlock_timeout=100ms",
                "-c",
                "log_line_prefix=%m [%p] %e "},
               directory_ + "/log");
  const auto until = steady_clock::now() + kStartBound;
  while (PQping(url().c_str()) != PQPING_OK) {
    if (waitpid(pid_, nullptr, WNOHANG) == pid_ || steady_clock::now() > until) {
      pid_ = -1;
      throw std::runtime_error("PostgreSQL did not start:\n" + log());
    }
    pause_briefly();
  }
  ++starts_;
}

void PostgresServer::stop() { end(SIGINT); }

void PostgresServer::crash() { end(SIGQUIT); }

void PostgresServer::end(int signal) {
  if (!running()) return;
  ::kill(pid_, signal);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

std::string PostgresServer::log() const {
  std::ostringstream text;
  text << std::ifstream(directory_ + "/log").rdbuf();
  return text.str();
}

struct TestDatabase::Connection {
  explicit Connection(const std::string& url) : pg(PQconnectdb(url.c_str())) {
    if (PQstatus(pg) != CONNECTION_OK) {
      const std::string message = PQerrorMessage(pg);
      PQfinish(pg);
      throw std::runtime_error(message);
    }
    PQsetNoticeProcessor(pg, [](void*, const char*) {}, nullptr);
  }
  ~Connection() { PQfinish(pg); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  PGconn* pg;
  int server_start = PostgresServer::instance().starts();
};

TestDatabase::TestDatabase() {
  static int number = 0;
  PostgresServer& server = PostgresServer::instance();
  server.start();
  name_ = fmt::format("test_{}", ++number);
  const Connection admin(server.url());
  PGresult* made = PQexec(admin.pg, fmt::format("CREATE DATABASE {}", name_).c_str());
  const bool good = PQresultStatus(made) == PGRES_COMMAND_OK;
  PQclear(made);
  if (!good) throw std::runtime_error(PQerrorMessage(admin.pg));
  url_ = server.url(name_);
}

TestDatabase::~TestDatabase() {
  connection_.reset();
  try {
    PostgresServer::instance().start();
    const Connection admin(PostgresServer::instance().url());
    PQclear(PQexec(admin.pg, fmt::format("DROP DATABASE {} WITH (FORCE)", name_).c_str()));
  } catch (const std::exception&) {
    // The server is gone, and the database with it.
  }
}

std::string TestDatabase::url_as(std::string_view user) const {
  return PostgresServer::instance().url(name_, user);
}

std::string TestDatabase::query(std::string_view sql) {
  if (connection_ && connection_->server_start != PostgresServer::instance().starts()) {
    connection_.reset();
  }
  if (!connection_) connection_ = std::make_unique<Connection>(url_);
  PGresult* result = PQexec(connection_->pg, std::string(sql).c_str());
  std::string text;
  const ExecStatusType status = PQresultStatus(result);
  if (status == PGRES_TUPLES_OK) {
    for (int row = 0; row < PQntuples(result); ++row) {
      if (row > 0) text += '\n';
      for (int column = 0; column < PQnfields(result); ++column) {
        if (column > 0) text += '|';
        text += PQgetisnull(result, row, column) ? "NULL" : PQgetvalue(result, row, column);
      }
    }
  }
  PQclear(result);
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
    throw std::runtime_error(PQerrorMessage(connection_->pg));
  }
  return text;
}

std::int64_t TestDatabase::count(std::string_view sql) { return std::stoll(query(sql)); }

}  // namespace hub::test
