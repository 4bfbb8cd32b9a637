#include "instances/operations/worker.h"

#include <algorithm>
#include <chrono>

#include "instances/core/errc.h"
#include "instances/operations/steps.h"

namespace hub::instances {
namespace {

using namespace std::chrono_literals;

std::chrono::seconds pause_after(int attempts) {
  return std::min(60s, 1s * (1 << std::min(attempts, 6)));
}

struct Failure {
  std::string message;
  bool hopeless = false;
};

// Runs what may fail; empty when it did not.
template <class F>
std::optional<Failure> attempt(F&& work) {
  try {
    work();
    return std::nullopt;
  } catch (const ProviderError& error) {
    return Failure{error.what(), error.next() == ProviderError::Next::give_up};
  } catch (const HopelessError& error) {
    return Failure{error.what(), true};
  } catch (const Refusal& refusal) {
    return Failure{refusal.what(), refusal.code() != Errc::Unavailable};
  } catch (const std::exception& error) {
    return Failure{error.what(), false};
  }
}

}  // namespace

bool Worker::run_one() {
  for (;;) {
    const auto due = machinery_.transact(
        [&](const Call& call) { return next_operation(call, machinery_.claims.held()); });
    if (!due) return false;
    const auto claim = machinery_.claims.try_claim(due->resource_id);
    if (!claim) continue;  // another thread was faster
    // It may have been ended between the two.
    const auto operation = machinery_.transact(
        [&](const Call& call) { return get_operation(call, due->account_id, due->id); });
    if (operation.status == "running" && operation.step == due->step) {
      do_step(operation);
    } else if (operation.status == "undoing" && operation.step == due->step) {
      undo_step(operation);
    }
    return true;
  }
}

void Worker::do_step(const Operation& operation) {
  const auto& plan = plan_of(operation.kind);
  const auto last = static_cast<int>(plan.steps.size());
  if (operation.step == last) {  // every step is done
    const auto failure = attempt([&] {
      machinery_.transact([&](const Call& call) {
        plan.done(call, operation);
        end_operation(call, operation, true);
      });
    });
    if (failure)
      machinery_.transact([&](const Call& call) {
        step_failed(call, operation, failure->message, call.now + pause_after(operation.attempts));
      });
    return;
  }
  const auto& step = plan.steps[static_cast<std::size_t>(operation.step)];
  machinery_.transact([&](const Call& call) {
    step_started(call, operation, step.name);
    if (!step.state.empty()) plan.set_state(call, operation, step.state, operation.progress);
  });
  const auto failure = attempt([&] { step.forth(machinery_, operation); });
  machinery_.transact([&](const Call& call) {
    if (!failure) {
      step_done(call, operation, step.progress);
      if (!step.state.empty()) plan.set_state(call, operation, step.state, step.progress);
      return;
    }
    step_failed(call, operation, failure->message, call.now + pause_after(operation.attempts));
    const bool give_up =
        failure->hopeless || operation.attempts + 1 >= machinery_.settings.step_attempts;
    if (give_up && plan.failed) start_undoing(call, operation, failure->message);
  });
}

void Worker::undo_step(const Operation& operation) {
  const auto& plan = plan_of(operation.kind);
  if (operation.step >= 0) {
    const auto& step = plan.steps[static_cast<std::size_t>(operation.step)];
    const auto failure = attempt([&] {
      if (step.back) step.back(machinery_, operation);
    });
    machinery_.transact([&](const Call& call) {
      if (!failure) return step_undone(call, operation);
      // What was made has to go: this is not given up.
      step_failed(call, operation, failure->message, call.now + pause_after(operation.attempts));
    });
    return;
  }
  machinery_.transact([&](const Call& call) {
    const auto now = get_operation(call, operation.account_id, operation.id);
    const auto failed = std::find_if(now.steps.begin(), now.steps.end(),
                                     [](const OperationStep& s) { return s.status == "failed"; });
    plan.failed(call, now, failed == now.steps.end() ? "" : failed->name);
    end_operation(call, operation, false);
  });
}

}  // namespace hub::instances
