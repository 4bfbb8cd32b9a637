#include "tests/instances/world.h"

namespace hub::instances {
namespace {

using namespace std::chrono_literals;

class Accounts : public World {
 protected:
  std::string make(const std::string& name) {
    return in([&](const Call& call) { return create_account(call, name, "a hash").id; });
  }
  bool sign_in(const std::string& name, bool right) {
    const auto begun = in([&](const Call& call) { return begin_sign_in(call, name); });
    return in([&](const Call& call) { return end_sign_in(call, begun, right); });
  }
  IssuedToken token(const std::string& account_id) {
    return in([&](const Call& call) {
      return create_token(call, account_id, {"cli", {"read", "write"}, call.now + 24h});
    });
  }
};

TEST_F(Accounts, HaveNamesOfTheirOwn) {
  make("acme");
  refused(Errc::DuplicateName, [](const Call& call) { create_account(call, "acme", {}); });
  for (const char* name : {"", "ab", "Acme", "1acme", "a me"})
    refused(Errc::InvalidRequest, [&](const Call& call) { create_account(call, name, {}); });
}

TEST_F(Accounts, FreezeSignInAfterWrongPasswordsInARow) {
  make("acme");
  for (int i = 0; i < settings.wrong_passwords - 1; ++i) EXPECT_FALSE(sign_in("acme", false));
  EXPECT_TRUE(sign_in("acme", true));  // begins to count anew
  for (int i = 0; i < settings.wrong_passwords; ++i) EXPECT_FALSE(sign_in("acme", false));
  expect_refusal(Errc::SignInFrozen, [&] { sign_in("acme", true); });
  clock.time += settings.sign_in_freeze;
  EXPECT_TRUE(sign_in("acme", true));
}

TEST_F(Accounts, AreNotToldApartByASignInThatFails) {
  EXPECT_FALSE(sign_in("nobody", true));
  const auto begun = in([](const Call& call) { return begin_sign_in(call, "nobody"); });
  EXPECT_TRUE(begun.password_hash.starts_with("$argon2id$"));
}

TEST_F(Accounts, AreActedForByTheirTokens) {
  const auto id = make("acme");
  const auto issued = token(id);
  const auto principal = in([&](const Call& call) { return authenticate(call, issued.secret); });
  ASSERT_TRUE(principal);
  EXPECT_EQ(principal->account_id, id);
  EXPECT_TRUE(principal->has("write"));
  EXPECT_FALSE(principal->has("pay"));
  EXPECT_EQ(store.count("SELECT count(*) FROM manage.api_token WHERE position('" + issued.secret +
                        "' in encode(secret_hash, 'escape')) > 0"),
            0);
}

TEST_F(Accounts, LoseATokenByTimeOrByRevokingIt) {
  const auto id = make("acme");
  const auto old = token(id), revoked = token(id);
  in([&](const Call& call) { revoke_token(call, id, revoked.token.id); });
  EXPECT_FALSE(in([&](const Call& call) { return authenticate(call, revoked.secret); }));
  EXPECT_TRUE(in([&](const Call& call) { return authenticate(call, old.secret); }));
  clock.time += 24h;
  EXPECT_FALSE(in([&](const Call& call) { return authenticate(call, old.secret); }));
  EXPECT_FALSE(in([&](const Call& call) { return authenticate(call, "iht_guess"); }));
}

TEST_F(Accounts, CannotRevokeTheTokensOfOthers) {
  const auto theirs = token(make("acme"));
  const auto other = make("other");
  refused(Errc::NotFound, [&](const Call& call) { revoke_token(call, other, theirs.token.id); });
}

class VerificationTest : public Accounts {
 protected:
  const VerificationRequest person{false, "Zhang San", "11010519491231002X", "13800000000"};
  const VerificationRequest company{true, "Acme Ltd.", "91350100M000100Y43", "bank"};

  Verification ask(const std::string& id, const VerificationRequest& request) {
    return in([&](const Call& call) { return request_verification(call, verifier, id, request); });
  }
  std::optional<Money> decide(const std::string& id, Verdict verdict) {
    return in(
        [&](const Call& call) { return decide_verification(call, id, {verdict, "blurred"}); });
  }
  std::string status(const std::string& id) {
    return in([&](const Call& call) { return get_verification(call, id).status; });
  }
  bool confirm(const std::string& id, Money amount) {
    return in([&](const Call& call) { return confirm_remittance(call, id, amount); });
  }

  OperatorVerifier verifier;
};

TEST_F(VerificationTest, OfAPersonIsDecidedByTheOperator) {
  const auto id = make("acme");
  refused(Errc::AccountNotVerified, [&](const Call& call) { require_verified(call, id); });
  EXPECT_EQ(ask(id, person).status, "reviewing");
  refused(Errc::AccountNotVerified, [&](const Call& call) { require_verified(call, id); });
  decide(id, Verdict::approve);
  EXPECT_EQ(status(id), "verified");
  in([&](const Call& call) { require_verified(call, id); });
  refused(Errc::EnterpriseVerificationRequired,
          [&](const Call& call) { require_verified(call, id, true); });
}

TEST_F(VerificationTest, MayBeAskedForAgainAfterARejection) {
  const auto id = make("acme");
  ask(id, person);
  expect_refusal(Errc::InvalidState, [&] { ask(id, person); });
  decide(id, Verdict::reject);
  EXPECT_EQ(in([&](const Call& c) { return get_verification(c, id).reason; }), "blurred");
  EXPECT_EQ(ask(id, person).status, "reviewing");
}

TEST_F(VerificationTest, TakesAnIdentityForOneAccountOnly) {
  const auto first = make("acme"), second = make("other");
  ask(first, person);
  expect_refusal(Errc::IdAlreadyUsed, [&] { ask(second, person); });
  decide(first, Verdict::reject);
  EXPECT_EQ(ask(second, person).status, "reviewing");
}

TEST_F(VerificationTest, RefusesNumbersThatCannotBe) {
  const auto id = make("acme");
  auto wrong = person;
  wrong.identity_number = "110105194912310021";
  expect_refusal(Errc::InvalidRequest, [&] { ask(id, wrong); });
}

TEST_F(VerificationTest, OfAnEnterpriseEndsWithTheAmountTypedBack) {
  const auto id = make("acme");
  ask(id, company);
  const auto amount = decide(id, Verdict::approve);
  ASSERT_TRUE(amount);
  EXPECT_GT(*amount, Money{});
  EXPECT_LT(*amount, yuan(1));
  EXPECT_EQ(status(id), "awaiting_remittance");
  EXPECT_FALSE(confirm(id, *amount + yuan(1)));
  EXPECT_TRUE(confirm(id, *amount));
  in([&](const Call& call) { require_verified(call, id, true); });
}

TEST_F(VerificationTest, IsFrozenForAnHourAfterFiveWrongAmountsInARow) {
  const auto id = make("acme");
  ask(id, company);
  const auto amount = *decide(id, Verdict::approve);
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(confirm(id, yuan(7)));
  expect_refusal(Errc::VerificationFrozen, [&] { confirm(id, amount); });
  clock.time += 1h - 1us;
  expect_refusal(Errc::VerificationFrozen, [&] { confirm(id, amount); });
  clock.time += 1us;
  EXPECT_TRUE(confirm(id, amount));
}

}  // namespace
}  // namespace hub::instances
