#pragma once

#include "instances/core/claims.h"
#include "instances/core/clock.h"
#include "instances/core/database.h"
#include "instances/core/operations.h"
#include "instances/core/settings.h"
#include "instances/databases/cluster_admin.h"
#include "instances/provider/provider.h"

namespace hub::instances {

// What the parts of the control plane that touch the machine work with. Borrows.
struct Machinery {
  Database& database;
  const Clock& clock;
  const Settings& settings;
  Provider& provider;
  ClusterAdmin& clusters;
  Claims& claims;

  // Runs work(Call) in a transaction.
  template <class F>
  auto transact(F&& work) const {
    return database.transact([&](Tx& tx) { return work(Call{tx, clock.now(), settings}); });
  }
};

// Carries operations out, one step at a time: does the step, and then writes down that it is done.
// A kill in between repeats the step, which changes nothing. A step that fails is tried again after
// a pause that doubles; when the attempts are used up, or the failure says that it is for good, the
// steps so far are undone backwards, money included. Work that must not be given up (to delete, to
// suspend) is tried for ever.
class Worker {
 public:
  explicit Worker(Machinery machinery) : machinery_(machinery) {}

  // One step of the operation that is due longest and that no other thread works on. False when
  // there is none. Thread-safe.
  bool run_one();

 private:
  void do_step(const Operation& operation);
  void undo_step(const Operation& operation);

  Machinery machinery_;
};

}  // namespace hub::instances
