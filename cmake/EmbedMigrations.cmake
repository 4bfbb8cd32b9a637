# Writes OUTPUT, a C++ source with the text and checksum of each of the migrations in DIRECTORY.
# Run as: cmake -D DIRECTORY=… -D OUTPUT=… -P EmbedMigrations.cmake
file(GLOB files "${DIRECTORY}/[0-9][0-9][0-9][0-9]_*.sql")
list(SORT files)

set(entries "")
set(expected 1)
foreach(file IN LISTS files)
  get_filename_component(name "${file}" NAME_WE)
  string(REGEX MATCH "^[0-9]+" number "${name}")
  string(REGEX REPLACE "^0+" "" number "${number}")
  if(NOT number EQUAL expected)
    message(FATAL_ERROR "${name}: the number ${expected} was to follow")
  endif()
  math(EXPR expected "${expected} + 1")
  file(SHA256 "${file}" checksum)
  string(SUBSTRING "${checksum}" 0 16 checksum)
  file(READ "${file}" sql)
  string(APPEND entries "    {${number}, \"${name}\", R\"__(${sql})__\", \"${checksum}\"},\n")
endforeach()

file(WRITE "${OUTPUT}.new" "#include \"storage/migration.h\"

namespace hub::storage {
namespace {

constexpr Migration kMigrations[] = {
${entries}};

}  // namespace

std::span<const Migration> migrations() { return kMigrations; }

}  // namespace hub::storage
")
file(COPY_FILE "${OUTPUT}.new" "${OUTPUT}" ONLY_IF_DIFFERENT)
