#pragma once

#include "instances/core/call.h"
#include "instances/operations/worker.h"

// What time does to resources.

namespace hub::instances {

// Suspends what is in arrears for too long or whose package is over, deletes what stayed so, and
// takes into use again what has been paid. Returns how many operations it started. What is being
// worked on is left for the next time.
int enforce_payment(const Call& call);

// Every job that is due: usage, settlement, renewals, coupons, orders, payment. May run late, twice
// and after a crash; the jobs of one resource do not hinder another's. Returns what could not be
// done, one line each, for the log.
std::vector<std::string> run_jobs(const Machinery& machinery);

// Makes the machine match the records: starts what should run and does not, applies rules that
// changed, and writes down how each process is. Returns what could not be done.
std::vector<std::string> converge(const Machinery& machinery);

// Removes from the machine what no record knows. At start, before any work.
std::vector<std::string> remove_strays(const Machinery& machinery);

}  // namespace hub::instances
