#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

namespace hub::storage {

// Bytes that are only ever appended to, and cut back. Keeps its room when cleared. Numbers are
// written in network byte order.
class ByteBuffer {
 public:
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] const char* data() const noexcept { return bytes_.get(); }
  [[nodiscard]] std::string_view view() const noexcept { return {bytes_.get(), size_}; }

  void clear() noexcept { size_ = 0; }
  void cut(std::size_t size) noexcept { size_ = size; }  // size <= size()

  // Room for `bytes` more, uninitialised, at the end; counts only once grow() is called.
  char* reserve(std::size_t bytes) {
    if (capacity_ - size_ < bytes) enlarge(bytes);
    return bytes_.get() + size_;
  }
  void grow(std::size_t bytes) noexcept { size_ += bytes; }

  void append(std::string_view bytes) {
    if (bytes.empty()) return;
    std::memcpy(reserve(bytes.size()), bytes.data(), bytes.size());
    size_ += bytes.size();
  }

  template <class Integer>
  void put(Integer value) {
    store(reserve(sizeof value), value);
    size_ += sizeof value;
  }
  template <class Integer>
  void overwrite(std::size_t at, Integer value) {
    store(bytes_.get() + at, value);
  }

  template <class Integer>
  static void store(char* to, Integer value) {
    if constexpr (sizeof value == 8) {
      const std::uint64_t swapped = __builtin_bswap64(static_cast<std::uint64_t>(value));
      std::memcpy(to, &swapped, 8);
    } else if constexpr (sizeof value == 4) {
      const std::uint32_t swapped = __builtin_bswap32(static_cast<std::uint32_t>(value));
      std::memcpy(to, &swapped, 4);
    } else if constexpr (sizeof value == 2) {
      const std::uint16_t swapped = __builtin_bswap16(static_cast<std::uint16_t>(value));
      std::memcpy(to, &swapped, 2);
    } else {
      static_assert(sizeof value == 1);
      std::memcpy(to, &value, 1);
    }
  }
  static std::int32_t load_int32(const char* from) {
    std::uint32_t value;
    std::memcpy(&value, from, 4);
    return static_cast<std::int32_t>(__builtin_bswap32(value));
  }
  static_assert(std::endian::native == std::endian::little);

 private:
  void enlarge(std::size_t bytes) {
    std::size_t wanted = capacity_ == 0 ? 4096 : capacity_ * 2;
    while (wanted - size_ < bytes) wanted *= 2;
    auto larger = std::make_unique_for_overwrite<char[]>(wanted);
    if (size_ > 0) std::memcpy(larger.get(), bytes_.get(), size_);
    bytes_ = std::move(larger);
    capacity_ = wanted;
  }

  std::unique_ptr<char[]> bytes_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace hub::storage
