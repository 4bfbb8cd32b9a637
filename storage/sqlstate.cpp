#include "storage/sqlstate.h"

namespace hub::storage {
namespace {

struct Entry {
  std::string_view prefix;  // a class, or a whole SQLSTATE; the first that fits holds
  Reaction reaction;
};

constexpr Entry kEntries[] = {
    {"57014", Reaction::suspect_row}, {"55000", Reaction::target_fault},
    {"XX", Reaction::suspect_row},    {"40", Reaction::retry},
    {"53", Reaction::retry},          {"55", Reaction::retry},
    {"57", Reaction::retry},          {"58", Reaction::retry},
    {"08", Reaction::retry},          {"25", Reaction::retry},
    {"F0", Reaction::retry},          {"IH", Reaction::retry},
    {"42", Reaction::target_fault},   {"3D", Reaction::target_fault},
    {"3F", Reaction::target_fault},   {"28", Reaction::target_fault},
    {"0A", Reaction::target_fault},   {"0L", Reaction::target_fault},
    {"0P", Reaction::target_fault},   {"HV", Reaction::target_fault},
};

}  // namespace

Reaction reaction_to(std::string_view sqlstate) noexcept {
  for (const Entry& entry : kEntries) {
    if (sqlstate.starts_with(entry.prefix)) return entry.reaction;
  }
  return Reaction::bad_row;
}

bool spoils_connection(std::string_view sqlstate) noexcept {
  return sqlstate == "25006" || sqlstate.starts_with("08") || sqlstate.starts_with("57P") ||
         sqlstate == "IH001";
}

}  // namespace hub::storage
