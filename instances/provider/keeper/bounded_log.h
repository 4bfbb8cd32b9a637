#pragma once

#include <cstdint>
#include <string_view>

#include "base/file_descriptor.h"
#include "instances/provider/unit_files.h"

namespace hub::instances {

// What a process writes, by way of a pipe, in a file that does not grow without limit.
class BoundedLog {
 public:
  static constexpr std::uint64_t kMaxBytes = 4 << 20;  // and as much again in the old file

  explicit BoundedLog(UnitFolder folder);

  // Where the process writes.
  [[nodiscard]] int write_end() const { return write_end_.get(); }

  // Readable when there is something to copy.
  [[nodiscard]] int read_end() const { return read_end_.get(); }

  // Copies what is in the pipe to the file. Does not block.
  void copy();

  // Writes a line of the keeper's own.
  void note(std::string_view text);

 private:
  void append(std::string_view text);

  UnitFolder folder_;
  FileDescriptor read_end_, write_end_;
  FileDescriptor file_;
  std::uint64_t size_ = 0;
};

}  // namespace hub::instances
