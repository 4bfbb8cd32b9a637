#include "instances/core/errc.h"

#include <array>

namespace hub::instances {
namespace {

struct Entry {
  Errc code;
  std::string_view name;
  int http_status;
  std::string_view title;
};

constexpr std::array kEntries{
    Entry{Errc::InvalidRequest, "InvalidRequest", 400, "The request is not valid"},
    Entry{Errc::Unauthorized, "Unauthorized", 401, "A valid token is needed"},
    Entry{Errc::Forbidden, "Forbidden", 403, "The token does not allow this call"},
    Entry{Errc::NotFound, "NotFound", 404, "There is no such resource"},
    Entry{Errc::SignInFailed, "SignInFailed", 401, "Wrong name or password"},
    Entry{Errc::SignInFrozen, "SignInFrozen", 429, "Sign-in is frozen for a while"},
    Entry{Errc::AccountNotVerified, "AccountNotVerified", 403, "The account is not verified"},
    Entry{Errc::EnterpriseVerificationRequired, "EnterpriseVerificationRequired", 403,
          "Enterprise verification is required"},
    Entry{Errc::IdAlreadyUsed, "IdAlreadyUsed", 409, "The identity verifies another account"},
    Entry{Errc::VerificationFrozen, "VerificationFrozen", 429,
          "Verification is frozen for a while"},
    Entry{Errc::WrongRemittanceAmount, "WrongRemittanceAmount", 422, "That is not the amount"},
    Entry{Errc::InsufficientBalance, "InsufficientBalance", 402, "The balance does not suffice"},
    Entry{Errc::QuotaExceeded, "QuotaExceeded", 409, "A quota is reached"},
    Entry{Errc::RegionNotSupported, "RegionNotSupported", 422, "Not offered in this region"},
    Entry{Errc::InvalidCidr, "InvalidCidr", 422, "Not a usable address range"},
    Entry{Errc::CidrOverlap, "CidrOverlap", 409, "The address range overlaps another"},
    Entry{Errc::CidrOutOfVpc, "CidrOutOfVpc", 422, "The address range is outside of the VPC's"},
    Entry{Errc::VpcMismatch, "VpcMismatch", 422, "The resources are in different VPCs"},
    Entry{Errc::RdsNotRunning, "RdsNotRunning", 409, "The database instance is not running"},
    Entry{Errc::DatabaseNotInitialized, "DatabaseNotInitialized", 409,
          "The database is not initialised"},
    Entry{Errc::DatabaseInUse, "DatabaseInUse", 409, "The database serves another hub"},
    Entry{Errc::SubnetIpExhausted, "SubnetIpExhausted", 409, "The subnet has too few addresses"},
    Entry{Errc::ResourceInUse, "ResourceInUse", 409, "The resource is in use"},
    Entry{Errc::InvalidState, "InvalidState", 409, "The resource's state does not allow this"},
    Entry{Errc::PrepaidNotExpired, "PrepaidNotExpired", 409, "The package has not expired"},
    Entry{Errc::TermsNotAccepted, "TermsNotAccepted", 409, "The terms are not accepted"},
    Entry{Errc::DuplicateName, "DuplicateName", 409, "The name is taken"},
    Entry{Errc::CouponNotApplicable, "CouponNotApplicable", 422, "The coupon does not apply"},
    Entry{Errc::VersionConflict, "VersionConflict", 412, "The resource has changed meanwhile"},
    Entry{Errc::IdempotencyConflict, "IdempotencyConflict", 422,
          "The idempotency key belongs to another request"},
    Entry{Errc::RateLimited, "RateLimited", 429, "Too many requests"},
    Entry{Errc::Unavailable, "Unavailable", 503, "The control plane's database does not answer"},
};

constexpr bool in_order() {
  for (std::size_t i = 0; i < kEntries.size(); ++i)
    if (static_cast<std::size_t>(kEntries[i].code) != i) return false;
  return kEntries.size() == static_cast<std::size_t>(Errc::Unavailable) + 1;
}
static_assert(in_order(), "an entry per enumerator, in the enumeration's order");

const Entry& entry_of(Errc code) { return kEntries[static_cast<std::size_t>(code)]; }

}  // namespace

std::string_view name_of(Errc code) { return entry_of(code).name; }
int http_status_of(Errc code) { return entry_of(code).http_status; }
std::string_view title_of(Errc code) { return entry_of(code).title; }

}  // namespace hub::instances
