# What every target of the project shares: warnings, sanitizers, linker, and the two functions
# that declare a module and a test.

find_package(Boost 1.81 REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(GTest REQUIRED)

find_program(MOLD mold)
if(MOLD)
  add_link_options(-fuse-ld=mold)
endif()
find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

add_compile_options(-Wall -Wextra -Werror -Wshadow -Wnon-virtual-dtor -Wimplicit-fallthrough
                    -fno-omit-frame-pointer)
if(IOTHUB_SANITIZE)
  add_compile_options(-fsanitize=${IOTHUB_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${IOTHUB_SANITIZE})
endif()
if(IOTHUB_FUZZERS)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# hub_module(name SOURCES a.cpp … DEPS other_module lib …)
# A static library hub_<name> whose headers are included from the project's root.
function(hub_module name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_library(hub_${name} STATIC ${ARG_SOURCES})
  target_include_directories(hub_${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(hub_${name} PUBLIC ${ARG_DEPS})
endfunction()

# hub_test(name SOURCES a_test.cpp … DEPS hub_x …)
# One GoogleTest program per module; each case is a ctest entry.
include(GoogleTest)
function(hub_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} GTest::gmock GTest::gtest_main)
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 120)
endfunction()

# hub_fuzzer(name SOURCES … DEPS …): built only with IOTHUB_FUZZERS.
function(hub_fuzzer name)
  if(NOT IOTHUB_FUZZERS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
endfunction()
