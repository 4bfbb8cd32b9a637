#pragma once

#include <rocksdb/env.h>

#include <cstdarg>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace hub::storage {

// How RocksDB gets at the spool's files: only their owner may read them, whatever the umask.
[[nodiscard]] std::unique_ptr<rocksdb::Env> private_files();

// What all files of that directory take on the disk, by what the file system says.
[[nodiscard]] std::uint64_t bytes_of_files(const std::filesystem::path& directory);

// Keeps what RocksDB says about bytes that it left out.
class SpoolFindings final : public rocksdb::Logger {
 public:
  SpoolFindings() : Logger(rocksdb::WARN_LEVEL) {}
  using Logger::Logv;
  void Logv(const char* format, va_list arguments) override;

  std::uint64_t dropped_bytes = 0;
  std::vector<std::string> lines;
};

}  // namespace hub::storage
