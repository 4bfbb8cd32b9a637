#include "storage/target_plans.h"

namespace hub::storage {

TargetPlan& TargetPlans::find(Plans& plans, const RowTargetPtr& target) {
  auto found = plans.find(target.get());
  if (found == plans.end()) {
    forget_unused();
    found = plans.emplace(target.get(), std::make_unique<TargetPlan>(target)).first;
  }
  return *found->second;
}

// Only when a target is new: rules that are loaded anew bring new ones.
void TargetPlans::forget_unused() {
  const auto unused = [oldest = pool_.oldest_in_use()](const auto& entry) {
    const TargetPlan& plan = *entry.second;
    return plan.target_ptr().use_count() == 1 && plan.batch_serial < oldest;
  };
  std::erase_if(open_, unused);
  std::erase_if(spooled_, unused);
  last_ = nullptr;
}

}  // namespace hub::storage
