#include "api/manage/shapes.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>

namespace hub::api::shapes {
namespace {

namespace json = boost::json;
using namespace instances;
using http::Schema;
using F = http::FieldType;

json::array list(const std::vector<std::string>& items) {
  return json::array(items.begin(), items.end());
}

std::string endpoint(const std::string& host, std::uint16_t port) {
  return host.empty() || port == 0 ? "" : fmt::format("{}:{}", host, port);
}

}  // namespace

const Schema account{"Account",
                     {{"id", F::text, true, "acc-..."},
                      {"name", F::text, true, "The login name"},
                      {"operator", F::boolean, true, "Runs this installation"},
                      {"verification", F::text, true, "The kind, and how far it is"},
                      {"createdAt", F::timestamp, true, ""}}};
json::object of(const Account& a) {
  return {{"id", a.id},
          {"name", a.name},
          {"operator", a.is_operator},
          {"verification", a.verification},
          {"createdAt", to_iso8601(a.created_at)}};
}

const Schema verification{
    "Verification",
    {{"status", F::text, true, "unverified, reviewing, rejected, awaiting_remittance, verified"},
     {"kind", F::text, true, "personal or enterprise; empty when unverified"},
     {"subject", F::text, true, "The person's or the company's name"},
     {"reason", F::text, true, "Of a rejection"},
     {"frozenUntil", F::timestamp, false, "No amount is taken before"}}};
json::object of(const Verification& v) {
  json::object out{
      {"status", v.status}, {"kind", v.kind}, {"subject", v.subject}, {"reason", v.reason}};
  if (v.frozen_until) out["frozenUntil"] = to_iso8601(*v.frozen_until);
  return out;
}

const Schema token{"Token",
                   {{"id", F::text, true, "tok-..."},
                    {"name", F::text, true, ""},
                    {"scopes", F::texts, true, "read, write, pay, operator"},
                    {"createdAt", F::timestamp, true, ""},
                    {"expiresAt", F::timestamp, true, ""},
                    {"revoked", F::boolean, true, ""}}};
json::object of(const Token& t) {
  return {{"id", t.id},
          {"name", t.name},
          {"scopes", list(t.scopes)},
          {"createdAt", to_iso8601(t.created_at)},
          {"expiresAt", to_iso8601(t.expires_at)},
          {"revoked", t.revoked}};
}

const Schema issued_token{"IssuedToken",
                          {{"token", F::object, true, "", &token},
                           {"secret", F::text, true, "What the bearer presents; told once"}}};
json::object of(const IssuedToken& t) { return {{"token", of(t.token)}, {"secret", t.secret}}; }

const Schema wallet{"Wallet",
                    {{"cashBalance", F::money, true, ""},
                     {"couponBalance", F::money, true, "Of the coupons that are valid"},
                     {"owed", F::money, true, "By bills that could not be paid"},
                     {"warnings", F::texts, true, ""}}};
json::object of(const Wallet& w) {
  return {{"cashBalance", w.cash.to_string()},
          {"couponBalance", w.coupons.to_string()},
          {"owed", w.owed.to_string()},
          {"warnings", list(w.warnings)}};
}

const Schema ledger_line{"LedgerLine",
                         {{"entry", F::integer, true, ""},
                          {"at", F::timestamp, true, ""},
                          {"kind", F::text, true, "deposit, grant, payment, refund, expiry"},
                          {"book", F::text, true, "cash or coupon"},
                          {"memo", F::text, true, ""},
                          {"amount", F::money, true, "Negative: taken"}}};
json::object of(const StatementLine& l) {
  return {{"entry", l.entry_id}, {"at", to_iso8601(l.at)}, {"kind", l.kind},
          {"book", l.book},      {"memo", l.memo},         {"amount", l.amount.to_string()}};
}

const Schema coupon{"Coupon",
                    {{"number", F::text, true, ""},
                     {"kind", F::text, true, "free or paid"},
                     {"total", F::money, true, ""},
                     {"remaining", F::money, true, ""},
                     {"products", F::texts, true, "Empty: all"},
                     {"chargeModes", F::texts, true, "Empty: all"},
                     {"validFrom", F::timestamp, true, ""},
                     {"validTo", F::timestamp, true, ""}}};
json::object of(const Coupon& c) {
  return {{"number", c.number},
          {"kind", c.kind},
          {"total", c.total.to_string()},
          {"remaining", c.remaining.to_string()},
          {"products", list(c.products)},
          {"chargeModes", list(c.charge_modes)},
          {"validFrom", to_iso8601(c.valid_from)},
          {"validTo", to_iso8601(c.valid_to)}};
}

const Schema order{
    "Order",
    {{"orderNumber", F::text, true, "ord-..."},
     {"orderType", F::text, true, "new or renew"},
     {"payType", F::text, true, "prepaid or postpaid"},
     {"chargeMode", F::text, true, "configuration, consumption or monthly"},
     {"product", F::text, true, "hub or rds"},
     {"resourceId", F::text, true, ""},
     {"region", F::text, true, ""},
     {"months", F::integer, true, "Of a package"},
     {"status", F::text, true, "no_pay, dealing, paid, failed, canceled, refund_all"},
     {"totalFee", F::money, true, "Due at once"},
     {"couponPay", F::money, true, ""},
     {"cashPay", F::money, true, ""},
     {"price", F::text, false, "What the resource costs, in words"},
     {"terms", F::text, false, "What is accepted by confirming"},
     {"termsAccepted", F::boolean, true, ""},
     {"message", F::text, true, "Why it failed"},
     {"createdAt", F::timestamp, true, ""},
     {"expiresAt", F::timestamp, true, "Cancelled unless paid before"},
     {"adminPassword", F::text, false, "Of a new database; told once"}}};
json::object of(const Order& o) {
  return {{"orderNumber", o.number},
          {"orderType", o.type},
          {"payType", o.pay_type},
          {"chargeMode", o.charge_mode},
          {"product", o.product},
          {"resourceId", o.resource_id},
          {"region", o.region},
          {"months", o.months},
          {"status", o.status},
          {"totalFee", o.total.to_string()},
          {"couponPay", o.from_coupon.to_string()},
          {"cashPay", o.from_cash.to_string()},
          {"termsAccepted", o.terms_accepted},
          {"message", o.message},
          {"createdAt", to_iso8601(o.created_at)},
          {"expiresAt", to_iso8601(o.expires_at)}};
}

const Schema usage{"Usage",
                   {{"day", F::text, true, "UTC+8"},
                    {"messages", F::integer, true, "From and to devices"},
                    {"freeUnits", F::integer, true, "Of 0.5 KB, taken from the month's free ones"},
                    {"paidUnits", F::integer, true, "Of 2 KB"},
                    {"activeDevices", F::integer, true, "That connected or sent something"}}};

json::object of(const UsageOfDay& u) {
  return {{"day", to_string(u.day)},
          {"messages", u.messages},
          {"freeUnits", u.free_units},
          {"paidUnits", u.paid_units},
          {"activeDevices", u.active_devices}};
}

const Schema bill{"Bill",
                  {{"id", F::integer, true, ""},
                   {"resourceId", F::text, true, ""},
                   {"region", F::text, true, ""},
                   {"product", F::text, true, ""},
                   {"chargeMode", F::text, true, ""},
                   {"tradeType", F::text, true, "use, new, renew, refund"},
                   {"item", F::text, true, "hour, messages, devices, package"},
                   {"startTime", F::timestamp, true, ""},
                   {"endTime", F::timestamp, true, ""},
                   {"quantity", F::integer, true, "Seconds, units, devices or months"},
                   {"billFee", F::money, true, "To six decimals"},
                   {"eraseFee", F::money, true, "Left out by cutting to cents"},
                   {"actualFee", F::money, true, "To be paid"},
                   {"couponFee", F::money, true, ""},
                   {"cashFee", F::money, true, ""},
                   {"paid", F::boolean, true, ""},
                   {"note", F::text, true, ""}}};
json::object of(const Bill& b) {
  return {{"id", b.id},
          {"resourceId", b.resource_id},
          {"region", b.region},
          {"product", b.product},
          {"chargeMode", b.charge_mode},
          {"tradeType", b.trade},
          {"item", b.item},
          {"startTime", to_iso8601(b.period_start)},
          {"endTime", to_iso8601(b.period_end)},
          {"quantity", b.quantity},
          {"billFee", b.fee.to_string()},
          {"eraseFee", b.erased.to_string()},
          {"actualFee", b.actual.to_string()},
          {"couponFee", b.from_coupons.to_string()},
          {"cashFee", b.from_cash.to_string()},
          {"paid", b.paid},
          {"note", b.note}};
}

const Schema started{"Started", {{"operationId", F::text, true, "The work that does it"}}};

const Schema operation_step{"OperationStep",
                            {{"name", F::text, true, ""},
                             {"status", F::text, true, "running, done, failed, undone"},
                             {"attempts", F::integer, true, ""},
                             {"message", F::text, true, ""}}};
const Schema operation{"Operation",
                       {{"id", F::text, true, "op-..."},
                        {"kind", F::text, true, "hub.create, rds.init, ..."},
                        {"resourceId", F::text, true, ""},
                        {"orderNumber", F::text, true, ""},
                        {"status", F::text, true, "running, undoing, done, failed"},
                        {"progress", F::integer, true, "Per cent"},
                        {"message", F::text, true, ""},
                        {"createdAt", F::timestamp, true, ""},
                        {"steps", F::objects, true, "", &operation_step}}};
json::object of(const Operation& o) {
  json::array steps;
  for (const auto& step : o.steps)
    steps.push_back(json::object{{"name", step.name},
                                 {"status", step.status},
                                 {"attempts", step.attempts},
                                 {"message", step.message}});
  return {{"id", o.id},
          {"kind", name_of(o.kind)},
          {"resourceId", o.resource_id},
          {"orderNumber", o.order_number},
          {"status", o.status},
          {"progress", o.progress},
          {"message", o.message},
          {"createdAt", to_iso8601(o.created_at)},
          {"steps", std::move(steps)}};
}

const Schema vpc{"Vpc",
                 {{"vpcId", F::text, true, "vpc-..."},
                  {"vpcName", F::text, true, ""},
                  {"region", F::text, true, ""},
                  {"addressPrefix", F::text, true, "Empty: grows with its subnets"},
                  {"description", F::text, true, ""},
                  {"state", F::text, true, "available, deleting"},
                  {"version", F::integer, true, ""},
                  {"createdAt", F::timestamp, true, ""}}};
json::object of(const Vpc& v) {
  return {{"vpcId", v.id},
          {"vpcName", v.name},
          {"region", v.region},
          {"addressPrefix", v.prefix ? v.prefix->to_string() : ""},
          {"description", v.description},
          {"state", v.state},
          {"version", v.version},
          {"createdAt", to_iso8601(v.created_at)}};
}

const Schema subnet{"Subnet",
                    {{"subnetId", F::text, true, "sub-..."},
                     {"vpcId", F::text, true, ""},
                     {"subnetName", F::text, true, ""},
                     {"addressPrefix", F::text, true, ""},
                     {"description", F::text, true, ""},
                     {"state", F::text, true, "available, deleting"},
                     {"availableIpCount", F::integer, true, ""},
                     {"version", F::integer, true, ""},
                     {"createdAt", F::timestamp, true, ""}}};
json::object of(const Subnet& s) {
  return {{"subnetId", s.id},
          {"vpcId", s.vpc_id},
          {"subnetName", s.name},
          {"addressPrefix", s.prefix.to_string()},
          {"description", s.description},
          {"state", s.state},
          {"availableIpCount", s.free_addresses},
          {"version", s.version},
          {"createdAt", to_iso8601(s.created_at)}};
}

const Schema security_rule{"SecurityRule",
                           {{"ruleId", F::text, true, "sgr-..."},
                            {"direction", F::text, true, "inbound or outbound"},
                            {"protocol", F::text, true, "all, tcp, udp or icmp"},
                            {"addressPrefix", F::text, true, "The other end"},
                            {"fromPort", F::integer, true, "0 unless tcp or udp"},
                            {"toPort", F::integer, true, ""},
                            {"description", F::text, true, ""},
                            {"isDefault", F::boolean, true, ""}}};
json::object of(const SecurityRule& r) {
  return {{"ruleId", r.id},
          {"direction", name_of(r.traffic.direction)},
          {"protocol", name_of(r.traffic.protocol)},
          {"addressPrefix", r.traffic.peer.to_string()},
          {"fromPort", r.traffic.from_port},
          {"toPort", r.traffic.to_port},
          {"description", r.description},
          {"isDefault", r.is_default}};
}

const Schema security_group{"SecurityGroup",
                            {{"groupId", F::text, true, "sg-..."},
                             {"vpcId", F::text, true, ""},
                             {"name", F::text, true, ""},
                             {"description", F::text, true, ""},
                             {"isDefault", F::boolean, true, ""},
                             {"version", F::integer, true, ""},
                             {"rules", F::objects, true, "", &security_rule}}};
json::object of(const SecurityGroup& g) {
  json::array rules;
  for (const auto& rule : g.rules) rules.push_back(of(rule));
  return {{"groupId", g.id},
          {"vpcId", g.vpc_id},
          {"name", g.name},
          {"description", g.description},
          {"isDefault", g.is_default},
          {"version", g.version},
          {"rules", std::move(rules)}};
}

const Schema rds{"Rds",
                 {{"instanceId", F::text, true, "rds-..."},
                  {"instanceName", F::text, true, ""},
                  {"region", F::text, true, ""},
                  {"zones", F::texts, true, "The primary's, the stand-by's"},
                  {"vpcId", F::text, true, ""},
                  {"vpcName", F::text, true, ""},
                  {"subnetId", F::text, true, ""},
                  {"subnetName", F::text, true, ""},
                  {"engine", F::text, true, ""},
                  {"external", F::boolean, true, "A server that is not ours"},
                  {"instanceClass", F::text, true, ""},
                  {"instanceStorageGB", F::integer, true, ""},
                  {"internalEndpoint", F::text, true, "Inside of the VPC"},
                  {"database", F::text, true, ""},
                  {"administrator", F::text, true, ""},
                  {"initialized", F::boolean, true, "Whether a hub can store in it"},
                  {"readOnly", F::boolean, true, "Its storage is full"},
                  {"status", F::text, true, "building, running, suspended, error, deleting"},
                  {"health", F::text, true, "Empty: well"},
                  {"failedStep", F::text, true, ""},
                  {"message", F::text, true, ""},
                  {"chargeMode", F::text, true, ""},
                  {"chargeStatus", F::text, true, "normal, overdue, arrear"},
                  {"isolated", F::boolean, true, "False: a plain process of the machine"},
                  {"version", F::integer, true, ""},
                  {"createdAt", F::timestamp, true, ""}}};
json::object of(const Rds& r, const Around& around) {
  return {{"instanceId", r.id},
          {"instanceName", r.name},
          {"region", r.region},
          {"zones", list(r.zones)},
          {"vpcId", r.vpc_id},
          {"vpcName", around.vpc_name},
          {"subnetId", r.subnet_id},
          {"subnetName", around.subnet_name},
          {"engine", r.engine},
          {"external", !r.external_url.empty()},
          {"instanceClass", r.klass},
          {"instanceStorageGB", r.storage_gb},
          {"internalEndpoint", r.address ? endpoint(r.address->to_string(), r.port) : ""},
          {"database", r.database},
          {"administrator", r.admin_name},
          {"initialized", r.initialized},
          {"readOnly", r.read_only},
          {"status", r.state},
          {"health", r.health},
          {"failedStep", r.failed_step},
          {"message", r.message},
          {"chargeMode", around.charge_mode},
          {"chargeStatus", around.charge_status},
          {"isolated", around.isolated},
          {"version", r.version},
          {"createdAt", to_iso8601(r.created_at)}};
}

const Schema hub{"Hub",
                 {{"instanceId", F::text, true, "hub-..."},
                  {"name", F::text, true, ""},
                  {"description", F::text, true, ""},
                  {"region", F::text, true, ""},
                  {"azName", F::text, true, "The zones, joined by @"},
                  {"vpcId", F::text, true, ""},
                  {"vpcName", F::text, true, ""},
                  {"subnetId", F::text, true, ""},
                  {"subnetName", F::text, true, ""},
                  {"rdsInstanceId", F::text, true, ""},
                  {"rdsInstanceName", F::text, true, ""},
                  {"securityGroups", F::texts, true, ""},
                  {"privateEndpoint", F::text, true, "Inside of the VPC"},
                  {"publicEndpoint", F::text, true, "From outside"},
                  {"shards", F::integer, true, ""},
                  {"maxDevices", F::integer, true, ""},
                  {"maxMessages", F::integer, true, "A day; 0: no cap"},
                  {"status", F::text, true,
                   "PREPARING, BUILDING, RUNNING, UPDATING, SUSPENDING, ERROR, DELETING"},
                  {"progressValue", F::integer, true, "Per cent"},
                  {"health", F::text, true, "Empty: well"},
                  {"failedStep", F::text, true, ""},
                  {"message", F::text, true, ""},
                  {"chargeMode", F::text, true, ""},
                  {"chargeStatus", F::text, true, "normal, arrear"},
                  {"isolated", F::boolean, true, "False: a plain process of the machine"},
                  {"version", F::integer, true, ""},
                  {"createdAt", F::timestamp, true, ""}}};
json::object of(const Hub& h, const Around& around) {
  std::string zones, state = h.state;
  for (const auto& zone : h.zones) zones += (zones.empty() ? "" : "@") + zone;
  for (char& c : state) c = static_cast<char>(c - 'a' + 'A');
  return {{"instanceId", h.id},
          {"name", h.name},
          {"description", h.description},
          {"region", h.region},
          {"azName", zones},
          {"vpcId", h.vpc_id},
          {"vpcName", around.vpc_name},
          {"subnetId", h.subnet_id},
          {"subnetName", around.subnet_name},
          {"rdsInstanceId", h.rds_id},
          {"rdsInstanceName", around.rds_name},
          {"securityGroups", list(around.security_groups)},
          {"privateEndpoint", h.address ? endpoint(h.address->to_string(), 1883) : ""},
          {"publicEndpoint", endpoint(h.public_host, h.public_port)},
          {"shards", h.shards},
          {"maxDevices", h.max_devices},
          {"maxMessages", h.max_messages},
          {"status", state},
          {"progressValue", h.progress},
          {"health", h.health},
          {"failedStep", h.failed_step},
          {"message", h.message},
          {"chargeMode", around.charge_mode},
          {"chargeStatus", around.charge_status},
          {"isolated", around.isolated},
          {"version", h.version},
          {"createdAt", to_iso8601(h.created_at)}};
}

}  // namespace hub::api::shapes
