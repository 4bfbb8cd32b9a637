#include "instances/operations/steps.h"

#include <array>
#include <pqxx/pqxx>

namespace hub::instances {
namespace {

void remove_subnet(const Machinery& m, const Operation& op) {
  m.provider.remove(ResourceKind::subnet, op.resource_id);
}
void remove_vpc(const Machinery& m, const Operation& op) {
  m.provider.remove(ResourceKind::vpc, op.resource_id);
}
void forget_subnet(const Call& call, const Operation& op) {
  call.tx.exec_params("DELETE FROM subnet WHERE id = $1", op.resource_id);
}
void forget_vpc(const Call& call, const Operation& op) {
  call.tx.exec_params("DELETE FROM vpc WHERE id = $1", op.resource_id);
}
void no_state(const Call&, const Operation&, std::string_view, int) {}

constexpr std::array kSubnetDelete{Step{"remove_subnet", 90, "", remove_subnet, nullptr}};
constexpr std::array kVpcDelete{Step{"remove_vpc", 90, "", remove_vpc, nullptr}};
constexpr Plan kSubnetPlan{kSubnetDelete, forget_subnet, nullptr, no_state};
constexpr Plan kVpcPlan{kVpcDelete, forget_vpc, nullptr, no_state};

}  // namespace

const Plan& network_plan(OperationKind kind) {
  return kind == OperationKind::subnet_delete ? kSubnetPlan : kVpcPlan;
}

const Plan& plan_of(OperationKind kind) {
  switch (kind) {
    case OperationKind::hub_create:
    case OperationKind::hub_update:
    case OperationKind::hub_suspend:
    case OperationKind::hub_resume:
    case OperationKind::hub_delete:
      return hub_plan(kind);
    case OperationKind::subnet_delete:
    case OperationKind::vpc_delete:
      return network_plan(kind);
    default:
      return rds_plan(kind);
  }
}

}  // namespace hub::instances
