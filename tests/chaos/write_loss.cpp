// Preloaded into PostgreSQL, or the hub, (LD_PRELOAD) to make a loss of power visible: keeps aside,
// for each file, what it held when it was last synced. Whoever cuts the power then puts that back,
// and every write since is gone.
//
// The copy of a file is $WRITE_LOSS_SYNCED/<inode>; a file that was never synced has none, and is
// empty after the cut. Names (creation, renaming, removal) survive it as they were: file systems
// with a journal keep them in order, and PostgreSQL and RocksDB sync a file before they rely on its
// name. A sync of a file whose name ends with $WRITE_LOSS_LIES promises what it does not keep, as
// some disks do.
//
// Copies are made under one lock, so that an older state never replaces a newer one, and put in
// place by rename(), so that a process that is killed in the midst leaves the state before. What is
// written during the copy may or may not be in it, as with a real disk.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

struct Path {
  char text[512];
};

template <class... T>
Path path(const char* form, T... arguments) {
  Path out;
  std::snprintf(out.text, sizeof out.text, form, arguments...);
  return out;
}

const char* synced() {
  static const char* const directory = std::getenv("WRITE_LOSS_SYNCED");
  return directory;
}

template <class F>
F next(const char* name) {
  return reinterpret_cast<F>(::dlsym(RTLD_NEXT, name));
}

Path copy_of(ino_t inode) {
  return path("%s/%llu", synced(), static_cast<unsigned long long>(inode));
}

// Held for the time of one copy. Opened anew each time: a forked process shares an open file, and
// with it the lock.
class Lock {
 public:
  Lock() : file_(::open(path("%s/lock", synced()).text, O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
    while (::flock(file_, LOCK_EX) != 0 && errno == EINTR) {
    }
  }
  ~Lock() { ::close(file_); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  int file_;
};

bool copy(int from, int to) {
  loff_t at_from = 0;
  loff_t at_to = 0;
  for (;;) {
    const ssize_t bytes = ::copy_file_range(from, &at_from, to, &at_to, std::size_t{1} << 30, 0);
    if (bytes == 0) return true;
    if (bytes < 0 && errno != EINTR) return false;
  }
}

bool is_lied_about(int descriptor) {
  static const char* const ending = std::getenv("WRITE_LOSS_LIES");
  if (ending == nullptr) return false;
  Path name;
  const ssize_t bytes =
      ::readlink(path("/proc/self/fd/%d", descriptor).text, name.text, sizeof name.text);
  const auto ending_bytes = static_cast<ssize_t>(std::strlen(ending));
  return bytes >= ending_bytes &&
         std::memcmp(name.text + bytes - ending_bytes, ending, std::strlen(ending)) == 0;
}

int sync_file(int descriptor) {
  struct stat info{};
  if (::fstat(descriptor, &info) != 0) return -1;
  if (synced() == nullptr || !S_ISREG(info.st_mode) || is_lied_about(descriptor)) return 0;
  const int from = ::open(path("/proc/self/fd/%d", descriptor).text, O_RDONLY | O_CLOEXEC);
  if (from < 0) return -1;
  const Lock lock;
  const Path making = path("%s/making", synced());
  const int to = ::open(making.text, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const bool done = to >= 0 && copy(from, to);
  const int error = errno;
  ::close(from);
  if (to >= 0) ::close(to);
  if (!done) {
    errno = error;
    return -1;
  }
  return next<int (*)(const char*, const char*)>("rename")(making.text, copy_of(info.st_ino).text);
}

// The inode behind a name that is about to go, if the file goes with it; else 0.
ino_t inode_to_go(const char* name) {
  struct stat info{};
  if (synced() == nullptr || ::lstat(name, &info) != 0) return 0;
  return S_ISREG(info.st_mode) && info.st_nlink == 1 ? info.st_ino : 0;
}

// The file has gone, and its inode may serve another one next.
void forget(ino_t inode) {
  if (inode == 0) return;
  const Lock lock;
  next<int (*)(const char*)>("unlink")(copy_of(inode).text);
}

}  // namespace

extern "C" {

int fsync(int descriptor) { return sync_file(descriptor); }
int fdatasync(int descriptor) { return sync_file(descriptor); }

// Starts writing, and promises nothing.
int sync_file_range(int, off64_t, off64_t, unsigned) { return 0; }

int unlink(const char* name) {
  const ino_t going = inode_to_go(name);
  const int result = next<int (*)(const char*)>("unlink")(name);
  if (result == 0) forget(going);
  return result;
}

int rename(const char* from, const char* to) {
  struct stat source{};
  ino_t going = inode_to_go(to);
  if (::lstat(from, &source) != 0 || source.st_ino == going) going = 0;
  const int result = next<int (*)(const char*, const char*)>("rename")(from, to);
  if (result == 0) forget(going);
  return result;
}

}  // extern "C"
