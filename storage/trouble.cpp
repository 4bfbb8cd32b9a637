#include "storage/trouble.h"

namespace hub::storage {
namespace {

struct Sign {
  std::string_view text;
  Trouble trouble;
};

// By SQLSTATE, or its class; the first that fits holds.
constexpr Sign kStates[] = {
    {"53100", Trouble::out_of_disk},
    {"53200", Trouble::out_of_memory},
    {"53300", Trouble::out_of_connections},
    {"25006", Trouble::read_only},
    {"57P03", Trouble::starting_up},
    {"57P01", Trouble::ended},
    {"57P02", Trouble::ended},
    {"57P05", Trouble::ended},
    {"25P03", Trouble::ended},
    {"57014", Trouble::batch_refused},
    {"40", Trouble::batch_refused},
    {"55", Trouble::batch_refused},
    {"IH", Trouble::batch_refused},
    {"28", Trouble::refused_login},
    {"3D", Trouble::refused_login},
    {"3F", Trouble::not_initialised},
    {"42501", Trouble::not_permitted},
    {"42P01", Trouble::not_initialised},
    {"42883", Trouble::not_initialised},
};

// By a part of the message. With several hosts it has a clause for each: what keeps the one that
// answers from being used goes before what is wrong with the others.
constexpr Sign kWords[] = {
    {"is read-only", Trouble::read_only},
    {"is in hot standby mode", Trouble::read_only},
    {"is not in hot standby mode", Trouble::read_only},
    {"too many clients", Trouble::out_of_connections},
    {"too many connections", Trouble::out_of_connections},
    {"connection slots are reserved", Trouble::out_of_connections},
    {"no more connections allowed", Trouble::out_of_connections},
    {"authentication failed", Trouble::refused_login},
    {"pg_hba.conf", Trouble::refused_login},
    {"no password supplied", Trouble::refused_login},
    {"role \"", Trouble::refused_login},
    {"database \"", Trouble::refused_login},
    {"no such user", Trouble::refused_login},
    {"no such database", Trouble::refused_login},
    {"database system is", Trouble::starting_up},
    {"timeout expired", Trouble::silent},
    {"did not answer", Trouble::silent},
    {"query_wait_timeout", Trouble::silent},
};

}  // namespace

Trouble trouble_of(const DatabaseFault& fault) noexcept {
  for (const Sign& sign : kStates) {
    if (fault.sqlstate.starts_with(sign.text)) return sign.trouble;
  }
  // PgBouncer passes on what the server told it as a protocol violation, 08P01.
  for (const Sign& sign : kWords) {
    if (fault.message.find(sign.text) != std::string::npos) return sign.trouble;
  }
  const bool connection = fault.sqlstate.empty() || fault.sqlstate.starts_with("08");
  return connection ? Trouble::unreachable : Trouble::other;
}

bool may_pass(Trouble trouble) noexcept {
  switch (trouble) {
    case Trouble::unreachable:
    case Trouble::ended:
    case Trouble::silent:
    case Trouble::starting_up:
    case Trouble::read_only:
    case Trouble::out_of_connections:
    case Trouble::out_of_disk:
    case Trouble::out_of_memory:
    case Trouble::batch_refused:
      return true;
    case Trouble::refused_login:
    case Trouble::not_permitted:
    case Trouble::not_initialised:
    case Trouble::other:
      break;
  }
  return false;
}

TroubleText text_of(Trouble trouble) noexcept {
  switch (trouble) {
    case Trouble::unreachable:
      return {"it cannot be reached", "see that PostgreSQL runs and that the way to it is open"};
    case Trouble::ended:
      return {"it ended the hub's connection", "nothing needs to be done if it takes the next one"};
    case Trouble::silent:
      return {
          "it accepts connections and does not answer",
          "see whether its processes are stopped or its storage hangs, and the network between"};
    case Trouble::starting_up:
      return {"it is starting or shutting down", "nothing needs to be done if it starts"};
    case Trouble::read_only:
      return {"it is read-only",
              "point the hub at the primary: name all servers in the URL with "
              "target_session_attrs=read-write; or reset default_transaction_read_only"};
    case Trouble::out_of_connections:
      return {"it has no connection left",
              "raise max_connections (or the limit of the role or database), or close others"};
    case Trouble::out_of_disk:
      return {"its disk is full", "free or add space where PostgreSQL keeps its data"};
    case Trouble::out_of_memory:
      return {"it is out of memory", "see what takes the memory of its machine"};
    case Trouble::refused_login:
      return {"it refuses the hub's login",
              "check user, password and database of the URL, and pg_hba.conf"};
    case Trouble::not_permitted:
      return {"the hub lacks a permission on its own tables", "grant what sql/README.md lists"};
    case Trouble::not_initialised:
      return {"the hub's schema is missing or older", "run: iothub db init"};
    case Trouble::batch_refused:
      return {"a batch has to be sent again", "nothing needs to be done unless it goes on"};
    case Trouble::other:
      break;
  }
  return {"it refuses what the hub writes", "see the server's log"};
}

}  // namespace hub::storage
