#include "manage/kinds.h"

#include <map>

namespace hub::manage {
namespace {

const Columns kAccount{
    {"NAME", "name"}, {"ID", "id"}, {"VERIFICATION", "verification"}, {"CREATED", "createdAt"}};
const Columns kToken{{"ID", "id"},
                     {"NAME", "name"},
                     {"SCOPES", "scopes"},
                     {"EXPIRES", "expiresAt"},
                     {"REVOKED", "revoked"}};
const Columns kRegion{
    {"REGION", "id"}, {"CITY", "city"}, {"ZONES", "zones"}, {"HUBS", "offersHubs"}};
const Columns kCoupon{
    {"NUMBER", "number"},     {"LEFT", "remaining"},         {"OF", "total"},
    {"PRODUCTS", "products"}, {"CHARGED BY", "chargeModes"}, {"UNTIL", "validTo"}};
const Columns kLedger{
    {"AT", "at"}, {"KIND", "kind"}, {"BOOK", "book"}, {"AMOUNT", "amount"}, {"FOR", "memo"}};
const Columns kVpc{{"NAME", "vpcName"},
                   {"ID", "vpcId"},
                   {"REGION", "region"},
                   {"RANGE", "addressPrefix"},
                   {"STATE", "state"}};
const Columns kVpcMore{{"DESCRIPTION", "description"}, {"CREATED", "createdAt"}};
const Columns kSubnet{{"NAME", "subnetName"},     {"ID", "subnetId"},           {"VPC", "vpcId"},
                      {"RANGE", "addressPrefix"}, {"FREE", "availableIpCount"}, {"STATE", "state"}};
const Columns kSubnetMore{{"DESCRIPTION", "description"}, {"CREATED", "createdAt"}};
const Columns kSecurityGroup{
    {"NAME", "name"}, {"ID", "groupId"}, {"VPC", "vpcId"}, {"DEFAULT", "isDefault"}};
const Columns kSecurityGroupMore{{"DESCRIPTION", "description"}};
const Columns kRds{
    {"NAME", "instanceName"},         {"ID", "instanceId"},         {"VPC", "vpcName"},
    {"SUBNET", "subnetName"},         {"CLASS", "instanceClass"},   {"GB", "instanceStorageGB"},
    {"ENDPOINT", "internalEndpoint"}, {"STATUS", "status"},         {"INITIALISED", "initialized"},
    {"READ-ONLY", "readOnly"},        {"CHARGED BY", "chargeMode"}, {"ISOLATED", "isolated"}};
const Columns kRdsMore{{"DATABASE", "database"}, {"ADMINISTRATOR", "administrator"},
                       {"HEALTH", "health"},     {"FAILED STEP", "failedStep"},
                       {"MESSAGE", "message"},   {"CREATED", "createdAt"}};
const Columns kHub{{"NAME", "name"},
                   {"ID", "instanceId"},
                   {"ZONES", "azName"},
                   {"VPC", "vpcName"},
                   {"SUBNET", "subnetName"},
                   {"PRIVATE", "privateEndpoint"},
                   {"PUBLIC", "publicEndpoint"},
                   {"STATUS", "status"},
                   {"CHARGED BY", "chargeMode"},
                   {"BILLING", "chargeStatus"},
                   {"ISOLATED", "isolated"}};
const Columns kHubMore{{"DATABASE", "rdsInstanceName"},
                       {"SECURITY GROUPS", "securityGroups"},
                       {"SHARDS", "shards"},
                       {"MAX DEVICES", "maxDevices"},
                       {"PROGRESS", "progressValue"},
                       {"HEALTH", "health"},
                       {"FAILED STEP", "failedStep"},
                       {"MESSAGE", "message"},
                       {"CREATED", "createdAt"}};
const Columns kOrder{{"NUMBER", "orderNumber"},    {"TYPE", "orderType"},
                     {"PRODUCT", "product"},       {"RESOURCE", "resourceId"},
                     {"CHARGED BY", "chargeMode"}, {"STATUS", "status"},
                     {"FEE", "totalFee"},          {"CREATED", "createdAt"}};
const Columns kOrderMore{
    {"PRICE", "price"}, {"TERMS", "terms"}, {"EXPIRES", "expiresAt"}, {"MESSAGE", "message"}};
const Columns kBill{{"ID", "id"},          {"RESOURCE", "resourceId"}, {"ITEM", "item"},
                    {"FROM", "startTime"}, {"UNTIL", "endTime"},       {"QUANTITY", "quantity"},
                    {"FEE", "billFee"},    {"TO PAY", "actualFee"},    {"PAID", "paid"}};
const Columns kOperation{{"ID", "id"},         {"KIND", "kind"},  {"RESOURCE", "resourceId"},
                         {"STATUS", "status"}, {"%", "progress"}, {"MESSAGE", "message"}};
const Columns kOperationMore{{"STEPS", "steps"}};

const std::map<std::string, Kind> kKinds{
    {"account", Kind{"/v1/accounts", "name", "account", kAccount, {}}},
    {"token", Kind{"/v1/tokens", "id", "token", kToken, {}}},
    {"region", Kind{"/v1/regions", "id", "region", kRegion, {}}},
    {"coupon", Kind{"/v1/coupons", "number", "coupon", kCoupon, {}}},
    {"ledger", Kind{"/v1/wallet/ledger", "entry", "entry", kLedger, {}}},
    {"vpc", Kind{"/v1/vpcs", "vpcId", "VPC", kVpc, kVpcMore}},
    {"subnet", Kind{"/v1/subnets", "subnetId", "subnet", kSubnet, kSubnetMore}},
    {"sg",
     Kind{"/v1/security-groups", "groupId", "security group", kSecurityGroup, kSecurityGroupMore}},
    {"rds", Kind{"/v1/rds", "instanceId", "database instance", kRds, kRdsMore}},
    {"hub", Kind{"/v1/hubs", "instanceId", "hub", kHub, kHubMore}},
    {"order", Kind{"/v1/orders", "orderNumber", "order", kOrder, kOrderMore}},
    {"bill", Kind{"/v1/bills", "id", "bill", kBill, {}}},
    {"operation", Kind{"/v1/operations", "id", "operation", kOperation, kOperationMore}},
};

}  // namespace

const Kind& kind_of(const std::string& name) { return kKinds.at(name); }

}  // namespace hub::manage
