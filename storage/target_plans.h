#pragma once

#include <memory>
#include <unordered_map>

#include "storage/batch_pool.h"
#include "storage/target_plan.h"

namespace hub::storage {

// A writer's plans, one for each target that rows have come for: made when the first one does, and
// forgotten once the rules have been loaded anew, nobody else knows the target, and no batch has
// rows of it.
//
// A plan knows where its target's rows are in one batch (TargetPlan::batch_slot), so what is filled
// beside the open batch, from the spool's records, has plans of its own. On the writer's
// thread.
class TargetPlans {
 public:
  // The pool, whose batches are those that use the plans, outlives them.
  explicit TargetPlans(const BatchPool& pool) noexcept : pool_(pool) {}

  // For the open batch. A plan stays as long as a batch that is in use has rows of its target.
  [[nodiscard]] TargetPlan& for_open(const RowTargetPtr& target) {
    if (last_ == nullptr || &last_->target() != target.get()) last_ = &find(open_, target);
    return *last_;
  }
  // For a batch made of the spool's records.
  [[nodiscard]] TargetPlan& for_spooled(const RowTargetPtr& target) {
    return find(spooled_, target);
  }

  // How many there are.
  [[nodiscard]] std::size_t size() const noexcept { return open_.size() + spooled_.size(); }

 private:
  using Plans = std::unordered_map<const RowTarget*, std::unique_ptr<TargetPlan>>;

  TargetPlan& find(Plans& plans, const RowTargetPtr& target);
  void forget_unused();

  const BatchPool& pool_;
  Plans open_;
  Plans spooled_;
  TargetPlan* last_ = nullptr;  // of open_, found last: rows of one target come one after the other
};

}  // namespace hub::storage
