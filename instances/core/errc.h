#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace hub::instances {

// Why the control plane refuses. The names are part of the API: what a program compares.
enum class Errc {
  InvalidRequest,      // a field is missing, malformed or unknown; a reference is ambiguous
  Unauthorized,        // no token, or one that is not valid any more
  Forbidden,           // the token's scopes do not cover the call
  NotFound,            // no such thing, or another account's
  SignInFailed,        // wrong name or password
  SignInFrozen,        // too many wrong passwords in a row
  AccountNotVerified,  // nothing can be bought before the identity is verified
  EnterpriseVerificationRequired,
  IdAlreadyUsed,       // the identity verifies another account
  VerificationFrozen,  // too many wrong amounts in a row
  WrongRemittanceAmount,
  InsufficientBalance,  // cash and coupons do not cover the price or the threshold
  QuotaExceeded,
  RegionNotSupported,
  InvalidCidr,
  CidrOverlap,
  CidrOutOfVpc,
  VpcMismatch,  // two resources that must share a VPC do not
  RdsNotRunning,
  DatabaseNotInitialized,
  DatabaseInUse,  // it serves another hub
  SubnetIpExhausted,
  ResourceInUse,
  InvalidState,
  PrepaidNotExpired,
  TermsNotAccepted,
  DuplicateName,
  CouponNotApplicable,
  VersionConflict,      // If-Match names another version
  IdempotencyConflict,  // the key was used for another request
  RateLimited,
  Unavailable,  // the control plane's database does not answer
};

// The stable name, "AccountNotVerified".
[[nodiscard]] std::string_view name_of(Errc code);
[[nodiscard]] int http_status_of(Errc code);
// What it means, in a few words that do not depend on the case: the title of the problem.
[[nodiscard]] std::string_view title_of(Errc code);

// Thrown by what refuses; the transaction that it leaves is rolled back. what() says what is wrong
// with which thing, and what to do about it.
class Refusal : public std::runtime_error {
 public:
  Refusal(Errc code, const std::string& what) : std::runtime_error(what), code_(code) {}
  [[nodiscard]] Errc code() const { return code_; }

 private:
  Errc code_;
};

}  // namespace hub::instances
