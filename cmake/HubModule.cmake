# What every target of the project shares: warnings, sanitizers, linker, and the functions
# that declare a module, a test and a fuzzer.

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

# With ccache, an object is still found again when its PCH was made anew of the same text.
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_compile_options("SHELL:-Xclang -fno-pch-timestamp")
endif()

# hub_module(name SOURCES a.cpp … DEPS other_module lib … [PRECOMPILE <header> …|PRECOMPILED module])
# A static library hub_<name> whose headers are included from the project's root. Its precompiled
# headers are base/precompiled.h, unless PRECOMPILE adds some, or PRECOMPILED names a module that did.
function(hub_module name)
  cmake_parse_arguments(ARG "" "PRECOMPILED" "SOURCES;DEPS;PRECOMPILE" ${ARGN})
  add_library(hub_${name} STATIC ${ARG_SOURCES})
  target_include_directories(hub_${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(hub_${name} PUBLIC ${ARG_DEPS})
  if(ARG_PRECOMPILED)
    target_precompile_headers(hub_${name} REUSE_FROM hub_${ARG_PRECOMPILED})
  elseif(name STREQUAL "base" OR ARG_PRECOMPILE)
    target_precompile_headers(hub_${name} PRIVATE ${CMAKE_SOURCE_DIR}/base/precompiled.h
                              ${ARG_PRECOMPILE})
  else()
    target_precompile_headers(hub_${name} REUSE_FROM hub_base)
  endif()
endfunction()

# The names of the test suites in `sources`, as --gtest_filter takes them.
function(hub_test_suites result)
  set(suites)
  foreach(source ${ARGN})
    file(STRINGS ${source} lines REGEX "^(TYPED_)?TEST(_F|_P)?\\(")
    foreach(line ${lines})
      string(REGEX REPLACE "^[A-Z_]+\\(([A-Za-z0-9_]+),.*" "\\1" suite "${line}")
      list(APPEND suites ${suite})
    endforeach()
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
  endforeach()
  list(REMOVE_DUPLICATES suites)
  set(${result} ${suites} PARENT_SCOPE)
endfunction()

# hub_test(name SOURCES a_test.cpp … DEPS hub_x … [E2E|ONE_ENTRY])
# One GoogleTest program per module. Each suite is a ctest entry, whose tests share a server where
# they need one; with ONE_ENTRY all of them are one entry, and with E2E, for tests of built programs
# and not of parts, each test is. The label of an entry says which; the targets unit_tests and
# e2e_tests build those programs.
include(GoogleTest)
add_custom_target(unit_tests)
add_custom_target(e2e_tests)
add_custom_target(fuzzers)
function(hub_test name)
  cmake_parse_arguments(ARG "E2E;ONE_ENTRY" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} hub_testing)
  target_precompile_headers(${name} REUSE_FROM hub_testing)
  set(label unit)
  if(ARG_E2E)
    set(label e2e)
  endif()
  add_dependencies(${label}_tests ${name})
  if(ARG_ONE_ENTRY)
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES TIMEOUT 600 LABELS ${label})
  elseif(ARG_E2E)
    gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 300 LABELS ${label})
  else()
    hub_test_suites(suites ${ARG_SOURCES})
    set(filter)
    foreach(suite ${suites})
      set(tests ${suite}.*:*/${suite}.*)
      string(APPEND filter :${tests})
      add_test(NAME ${suite} COMMAND ${name} --gtest_filter=${tests})
      set_tests_properties(${suite} PROPERTIES TIMEOUT 600 LABELS ${label})
    endforeach()
    # No test is in none of those.
    add_test(NAME ${name}.EverySuiteIsRun
      COMMAND ${name} --gtest_list_tests --gtest_filter=*-${filter})
    set_tests_properties(${name}.EverySuiteIsRun PROPERTIES
      FAIL_REGULAR_EXPRESSION "[.]" LABELS ${label})
  endif()
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
  add_dependencies(fuzzers ${name})
endfunction()
