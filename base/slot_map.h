#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace hub {

// Objects named by handles that are never taken for another object's: slot number in the low 32
// bits, the slot's generation above. 0 names nothing. One thread's.
template <class T>
class SlotMap {
 public:
  using Handle = std::uint64_t;

  template <class... Args>
  std::pair<Handle, T*> emplace(Args&&... args) {
    if (free_.empty()) {
      free_.push_back(static_cast<std::uint32_t>(slots_.size()));
      slots_.emplace_back();
    }
    const std::uint32_t index = free_.back();
    Slot& slot = slots_[index];
    slot.object = std::make_unique<T>(std::forward<Args>(args)...);
    free_.pop_back();
    ++size_;
    return {Handle{slot.generation} << 32 | index, slot.object.get()};
  }

  // nullptr when the object is gone.
  [[nodiscard]] T* find(Handle handle) const {
    const auto index = static_cast<std::uint32_t>(handle);
    if (index >= slots_.size() || slots_[index].generation != handle >> 32) return nullptr;
    return slots_[index].object.get();
  }
  // The object in a slot, of whatever generation; REQUIRES that there is one.
  [[nodiscard]] T& at_slot(std::uint32_t index) const { return *slots_[index].object; }

  void erase(Handle handle) {
    if (find(handle) == nullptr) return;
    const auto index = static_cast<std::uint32_t>(handle);
    slots_[index].object.reset();
    ++slots_[index].generation;
    free_.push_back(index);
    --size_;
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  // Calls f(Handle, T&) for each. f may erase the object that it was given, and no other.
  template <class F>
  void for_each(F f) {
    for (std::uint32_t index = 0; index < slots_.size(); ++index) {
      if (slots_[index].object)
        f(Handle{slots_[index].generation} << 32 | index, *slots_[index].object);
    }
  }

 private:
  struct Slot {
    std::unique_ptr<T> object;
    std::uint32_t generation = 1;
  };
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  std::size_t size_ = 0;
};

}  // namespace hub
