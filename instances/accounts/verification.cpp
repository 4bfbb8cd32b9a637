#include "instances/accounts/verification.h"

#include <fmt/format.h>

#include <pqxx/pqxx>

#include "instances/accounts/identity_numbers.h"
#include "instances/core/calendar.h"
#include "instances/core/errc.h"
#include "instances/core/secrets.h"

namespace hub::instances {
namespace {

// Identity numbers are few enough to be tried one by one: their hash has a key.
std::string identity_hash(const Call& call, const std::string& number) {
  call.tx.exec_params(
      "INSERT INTO setting VALUES ('identity_key', $1) ON CONFLICT (name) DO NOTHING",
      pqxx::binarystring(new_secret()));
  const auto key = call.tx.exec_params1("SELECT value FROM setting WHERE name = 'identity_key'");
  return hash(number, pqxx::binarystring(key[0]).str());
}

void check_request(const VerificationRequest& request) {
  if (request.subject.empty() || request.subject.size() > 256)
    throw Refusal(Errc::InvalidRequest,
                  "Verification needs the name of the person or the company.");
  if (!request.enterprise && !is_identity_number(request.identity_number))
    throw Refusal(Errc::InvalidRequest,
                  "The identity number has 17 digits and a check digit (or X), and they do not fit "
                  "together. Check it for a typing error.");
  if (request.enterprise && !is_social_credit_code(request.identity_number))
    throw Refusal(Errc::InvalidRequest,
                  "The unified social credit code has 18 characters, the last of which checks the "
                  "others, and they do not fit together. Check it for a typing error.");
}

// Locks the account, and reads how far it is.
Verification current(const Call& call, const std::string& account_id) {
  lock_account(call, account_id);
  return get_verification(call, account_id);
}

}  // namespace

Verification get_verification(const Call& call, const std::string& account_id) {
  const auto found =
      call.tx.exec_params("SELECT * FROM verification WHERE account_id = $1", account_id);
  if (found.empty()) return {};
  const auto row = found[0];
  Verification verification{.status = row["status"].as<std::string>(),
                            .kind = row["kind"].as<std::string>(),
                            .subject = row["subject"].as<std::string>(),
                            .details = row["details"].as<std::string>(),
                            .reason = row["reason"].as<std::string>(""),
                            .frozen_until = {}};
  if (!row["frozen_until"].is_null()) {
    const auto until = parse_sql_timestamp(row["frozen_until"].c_str());
    if (until > call.now) verification.frozen_until = until;
  }
  return verification;
}

Verification request_verification(const Call& call, Verifier& verifier,
                                  const std::string& account_id,
                                  const VerificationRequest& request) {
  check_request(request);
  const auto before = current(call, account_id);
  const bool may_upgrade =
      before.status == "verified" && before.kind == "personal" && request.enterprise;
  if (before.status != "unverified" && before.status != "rejected" && !may_upgrade)
    throw Refusal(Errc::InvalidState,
                  fmt::format("The account's {} verification is {}. Nothing is left to request.",
                              before.kind, before.status));
  const auto identity = pqxx::binarystring(identity_hash(call, request.identity_number));
  const auto taken = call.tx.exec_params(
      "SELECT 1 FROM verification WHERE identity_hash = $1 AND account_id <> $2 "
      "AND status <> 'rejected'",
      identity, account_id);
  if (!taken.empty())
    throw Refusal(Errc::IdAlreadyUsed,
                  "This identity verifies another account already, and an identity verifies one "
                  "account only. Use that account, or another identity.");
  call.tx.exec_params(
      "INSERT INTO verification (account_id, kind, status, subject, identity_hash, details, "
      "updated_at) VALUES ($1, $2, 'reviewing', $3, $4, $5, $6) "
      "ON CONFLICT (account_id) DO UPDATE SET kind = excluded.kind, status = excluded.status, "
      "subject = excluded.subject, identity_hash = excluded.identity_hash, "
      "details = excluded.details, reason = NULL, wrong_amounts = 0, frozen_until = NULL, "
      "updated_at = excluded.updated_at",
      account_id, request.enterprise ? "enterprise" : "personal", request.subject, identity,
      request.details, sql(call.now));
  if (const auto review = verifier.review(request); review.verdict != Verdict::later)
    decide_verification(call, account_id, review);
  return get_verification(call, account_id);
}

std::optional<Money> decide_verification(const Call& call, const std::string& account_id,
                                         const Review& review) {
  const auto before = current(call, account_id);
  if (before.status != "reviewing")
    throw Refusal(Errc::InvalidState,
                  fmt::format("The account's verification is {}, and only one that is under review "
                              "can be decided on.",
                              before.status));
  if (review.verdict == Verdict::reject) {
    call.tx.exec_params(
        "UPDATE verification SET status = 'rejected', reason = $2, updated_at = $3 "
        "WHERE account_id = $1",
        account_id, review.reason, sql(call.now));
    return std::nullopt;
  }
  if (before.kind == "personal") {
    call.tx.exec_params(
        "UPDATE verification SET status = 'verified', updated_at = $2 WHERE account_id = $1",
        account_id, sql(call.now));
    return std::nullopt;
  }
  const auto amount = yuan(0, random_number(99));
  call.tx.exec_params(
      "UPDATE verification SET status = 'awaiting_remittance', remittance_micro = $2, "
      "updated_at = $3 WHERE account_id = $1",
      account_id, amount.micro, sql(call.now));
  return amount;
}

bool confirm_remittance(const Call& call, const std::string& account_id, Money amount) {
  const auto before = current(call, account_id);
  if (before.status != "awaiting_remittance")
    throw Refusal(
        Errc::InvalidState,
        fmt::format("The account's verification is {}: no remittance is awaited.", before.status));
  if (before.frozen_until)
    throw Refusal(
        Errc::VerificationFrozen,
        fmt::format("Too many wrong amounts in a row: verification is frozen until {}. Look "
                    "at the bank statement, and try again then.",
                    to_iso8601(*before.frozen_until)));
  const auto right = call.tx.exec_params(
      "UPDATE verification SET status = 'verified', remittance_micro = NULL, wrong_amounts = 0, "
      "frozen_until = NULL, updated_at = $3 WHERE account_id = $1 AND remittance_micro = $2",
      account_id, amount.micro, sql(call.now));
  if (right.affected_rows() == 1) return true;
  call.tx.exec_params(
      "UPDATE verification SET "
      "  wrong_amounts = CASE WHEN wrong_amounts + 1 >= $2 THEN 0 ELSE wrong_amounts + 1 END,"
      "  frozen_until = CASE WHEN wrong_amounts + 1 >= $2 THEN $3::timestamptz END "
      "WHERE account_id = $1",
      account_id, call.settings.wrong_amounts, sql(call.now + call.settings.verification_freeze));
  return false;
}

void require_verified(const Call& call, const std::string& account_id, bool enterprise) {
  if (call.tx.exec_params1("SELECT operator FROM account WHERE id = $1", account_id)[0].as<bool>())
    return;
  const auto now = get_verification(call, account_id);
  if (now.status != "verified")
    throw Refusal(
        Errc::AccountNotVerified,
        fmt::format("The account's verification is {}, and nothing can be bought before it "
                    "is verified. Run `iothub manage account verify`.",
                    now.status));
  if (enterprise && now.kind != "enterprise")
    throw Refusal(Errc::EnterpriseVerificationRequired,
                  "The account is verified as a person, and this needs an enterprise. Run `iothub "
                  "manage account verify --enterprise`.");
}

}  // namespace hub::instances
