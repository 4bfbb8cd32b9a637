#pragma once

#include <optional>
#include <string>

#include "instances/core/call.h"
#include "instances/core/money.h"

// Who stands behind an account. Personal: unverified -> reviewing -> verified or rejected.
// Enterprise: unverified -> reviewing -> rejected or awaiting_remittance -> verified, where the
// last step proves the bank account: a small random amount is sent to it, and typed back.

namespace hub::instances {

struct VerificationRequest {
  bool enterprise = false;
  std::string subject;          // the person's or the company's name
  std::string identity_number;  // of the identity card; or the unified social credit code
  std::string details;          // for the reviewer: mobile number; bank, legal person, letter
};

struct Verification {
  std::string status = "unverified";
  std::string kind;  // "personal", "enterprise"; empty when unverified
  std::string subject;
  std::string details;
  std::string reason;                     // of a rejection
  std::optional<Timestamp> frozen_until;  // no amount is taken before
};

enum class Verdict { approve, reject, later };

struct Review {
  Verdict verdict = Verdict::later;
  std::string reason;
};

// Who decides on a request. `later` leaves it to decide_verification().
class Verifier {
 public:
  virtual ~Verifier() = default;
  virtual Review review(const VerificationRequest& request) = 0;
};

// For one's own machines: a person decides, the operator.
class OperatorVerifier final : public Verifier {
 public:
  Review review(const VerificationRequest&) override { return {}; }
};

// Throws Refusal: InvalidRequest, IdAlreadyUsed, InvalidState when one is under way or done. A
// verified person may become an enterprise, and is not verified while that is under review.
Verification request_verification(const Call& call, Verifier& verifier,
                                  const std::string& account_id,
                                  const VerificationRequest& request);

// What the review came to. An enterprise that is approved awaits the remittance: its amount is
// returned to the one who sends it, and never shown to the account.
std::optional<Money> decide_verification(const Call& call, const std::string& account_id,
                                         const Review& review);

// The account types the amount back. Returns false for a wrong one, which counts: after some in a
// row the process is frozen. Throws Refusal: InvalidState, VerificationFrozen.
bool confirm_remittance(const Call& call, const std::string& account_id, Money amount);

Verification get_verification(const Call& call, const std::string& account_id);

// Throws Refusal(AccountNotVerified) or (EnterpriseVerificationRequired). An operator needs none.
void require_verified(const Call& call, const std::string& account_id, bool enterprise = false);

}  // namespace hub::instances
