#include "tests/support/allocation_count.h"

#include <cstdlib>
#include <new>

#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#include <sanitizer/allocator_interface.h>
#define HUB_SANITIZED 1
#else
#define HUB_SANITIZED 0
#endif

namespace {
thread_local std::size_t allocations = 0;
}  // namespace

#if HUB_SANITIZED

// The sanitizers have operators of their own, and tell of each allocation.
namespace {
[[maybe_unused]] const int installed = __sanitizer_install_malloc_and_free_hooks(
    [](const volatile void*, std::size_t) { ++allocations; }, [](const volatile void*) {});
}  // namespace

#else

namespace {
void* allocate(std::size_t size) noexcept {
  ++allocations;
  return std::malloc(size == 0 ? 1 : size);
}
}  // namespace

void* operator new(std::size_t size) {
  if (void* memory = allocate(size)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

#endif

namespace hub::test {

std::size_t allocations_of_this_thread() noexcept { return allocations; }

}  // namespace hub::test
