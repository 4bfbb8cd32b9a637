#include "storage/spool_files.h"

#include <rocksdb/file_system.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <string_view>
#include <system_error>

namespace hub::storage {

namespace fs = std::filesystem;

namespace {

class PrivateFiles final : public rocksdb::FileSystemWrapper {
 public:
  PrivateFiles() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "PrivateFiles"; }
  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* out,
                                    rocksdb::IODebugContext* context) override {
    auto status = target()->NewWritableFile(name, options, out, context);
    if (status.ok()) ::chmod(name.c_str(), S_IRUSR | S_IWUSR);
    return status;
  }
};

}  // namespace

std::unique_ptr<rocksdb::Env> private_files() {
  return rocksdb::NewCompositeEnv(std::make_shared<PrivateFiles>());
}

std::uint64_t bytes_of_files(const fs::path& directory) {
  std::uint64_t sum = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    struct stat info{};
    if (::lstat(entry.path().c_str(), &info) == 0) {
      sum += std::max(static_cast<std::uint64_t>(info.st_size),
                      static_cast<std::uint64_t>(info.st_blocks) * 512);
    }
  }
  return sum;
}

void SpoolFindings::Logv(const char* format, va_list arguments) {
  char line[512];
  std::vsnprintf(line, sizeof line, format, arguments);
  const std::string_view text = line;
  constexpr std::string_view kDropping = "dropping ";
  const auto at = text.find(kDropping);
  if (at == std::string_view::npos) return;
  const auto digits = text.substr(at + kDropping.size());
  std::uint64_t bytes = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), bytes);
  dropped_bytes += bytes;
  lines.emplace_back(text.substr(at));
}

}  // namespace hub::storage
