#include "instances/money/wallet.h"

#include <array>
#include <random>

#include "tests/instances/world.h"

namespace hub::instances {
namespace {

using namespace std::chrono_literals;

class WalletTest : public World {
 protected:
  Coupon coupon(const std::string& owner, const std::string& number, Money total,
                std::chrono::hours life, std::vector<std::string> products = {}) {
    return in([&](const Call& call) {
      return issue_coupon(call,
                          {.number = number,
                           .kind = "free",
                           .total = total,
                           .remaining = {},
                           .products = products,
                           .charge_modes = {},
                           .valid_from = call.now,
                           .valid_to = call.now + life},
                          owner);
    });
  }
  std::optional<Payment> pay_for(const std::string& id, Money amount, const std::string& reference,
                                 const Purpose& purpose = {"hub", "consumption"}) {
    return in([&](const Call& call) {
      lock_account(call, id);
      return pay(call, id, amount, purpose, reference, "");
    });
  }
};

TEST_F(WalletTest, TakesADepositOnce) {
  const auto id = account("acme", {});
  EXPECT_TRUE(in([&](const Call& c) { return deposit(c, id, yuan(100), "bank 1"); }));
  EXPECT_FALSE(in([&](const Call& c) { return deposit(c, id, yuan(100), "bank 1"); }));
  EXPECT_EQ(cash(id), yuan(100));
  refused(Errc::InvalidRequest, [&](const Call& c) { deposit(c, id, Money{}, "bank 2"); });
  expect_sound();
}

TEST_F(WalletTest, UsesTheCouponThatExpiresSoonestAndCouponsBeforeCash) {
  const auto id = account("acme", yuan(10));
  coupon(id, "late", yuan(5), 48h);
  coupon(id, "soon", yuan(3), 24h);
  coupon(id, "small", yuan(2), 24h);
  coupon(id, "other-product", yuan(100), 1h, {"rds"});
  const auto payment = pay_for(id, yuan(4), "p1");
  ASSERT_TRUE(payment);
  EXPECT_EQ(payment->from_coupons, yuan(4));
  EXPECT_EQ(in([&](const Call& c) { return balance(c, {Book::Kind::coupon, "small"}); }), Money{});
  EXPECT_EQ(in([&](const Call& c) { return balance(c, {Book::Kind::coupon, "soon"}); }), yuan(1));
  EXPECT_EQ(in([&](const Call& c) { return balance(c, {Book::Kind::coupon, "late"}); }), yuan(5));
  const auto rest = pay_for(id, yuan(8), "p2");
  EXPECT_EQ(rest->from_coupons, yuan(6));
  EXPECT_EQ(rest->from_cash, yuan(2));
  expect_sound();
}

TEST_F(WalletTest, PaysAllOrNothing) {
  const auto id = account("acme", yuan(10));
  coupon(id, "c", yuan(5), 24h);
  EXPECT_FALSE(pay_for(id, yuan(15, 1), "p"));
  EXPECT_EQ(cash(id), yuan(10));
  EXPECT_TRUE(pay_for(id, yuan(15), "p"));
  EXPECT_FALSE(pay_for(id, yuan(1), "p2"));
}

TEST_F(WalletTest, OpensWithFiftyInCashAndCoupons) {
  const auto id = account("acme", yuan(40));
  const auto open = [&](const Call& call) { require_threshold(call, id, {"hub", "consumption"}); };
  coupon(id, "c", yuan(9, 99), 24h);
  refused(Errc::InsufficientBalance, open);
  try {
    in(open);
  } catch (const Refusal& refusal) {
    EXPECT_NE(std::string(refusal.what()).find("0.01 too little"), std::string::npos)
        << refusal.what();
  }
  in([&](const Call& call) { deposit(call, id, yuan(0, 1), "the last cent"); });
  EXPECT_NO_THROW(in(open));
  clock.time += 24h;  // the coupon is no longer valid
  refused(Errc::InsufficientBalance, open);
}

TEST_F(WalletTest, WritesOffACouponAtItsEnd) {
  const auto id = account("acme", {});
  coupon(id, "c", yuan(5), 24h);
  EXPECT_EQ(in([](const Call& c) { return expire_coupons(c); }), 0);
  clock.time += 24h;
  EXPECT_EQ(in([](const Call& c) { return expire_coupons(c); }), 1);
  EXPECT_EQ(in([](const Call& c) { return expire_coupons(c); }), 0);
  EXPECT_EQ(in([](const Call& c) { return balance(c, {Book::Kind::expired, ""}); }), yuan(5));
  expect_sound();
}

TEST_F(WalletTest, BindsACouponToOneAccount) {
  const auto first = account("acme"), second = account("other");
  coupon("", "gift", yuan(5), 24h);
  in([&](const Call& c) { return bind_coupon(c, first, "gift"); });
  refused(Errc::InvalidState, [&](const Call& c) { bind_coupon(c, second, "gift"); });
  refused(Errc::NotFound, [&](const Call& c) { bind_coupon(c, second, "gitf"); });
}

TEST_F(WalletTest, WarnsBeforeTheMoneyIsGone) {
  const auto id = account("acme", yuan(199, 99));
  coupon(id, "c", yuan(5), 24h * 7);
  const auto wallet = in([&](const Call& c) { return get_wallet(c, id); });
  EXPECT_EQ(wallet.warnings.size(), 3u);  // cash, coupons, and a coupon that expires
}

// The database itself refuses what would make a balance wrong, whoever asks.
TEST_F(WalletTest, CannotBeMadeWrongEvenBySql) {
  const auto id = account("acme", yuan(10));
  const auto refuses = [&](const std::string& statement) {
    EXPECT_THROW(store.query("SET search_path = manage; " + statement), std::runtime_error)
        << statement;
    store.query("ROLLBACK");
  };
  refuses("UPDATE ledger_account SET balance_micro = balance_micro + 1");
  refuses("UPDATE ledger_line SET amount_micro = amount_micro + 1");
  refuses("DELETE FROM ledger_line");
  refuses("DELETE FROM ledger_entry");
  refuses("DELETE FROM ledger_account");
  refuses("TRUNCATE ledger_line");
  refuses("TRUNCATE ledger_account CASCADE");
  refuses("INSERT INTO ledger_account (account_id, kind, balance_micro) VALUES (NULL, 'cash', 5)");
  refuses("UPDATE ledger_account SET account_id = 'acc-other' WHERE kind = 'cash'");
  const std::string entry =
      "BEGIN; WITH e AS (INSERT INTO ledger_entry (account_id, at, kind, reference, memo) VALUES "
      "('" +
      id + "', now(), 'deposit', 'x', '') RETURNING id) ";
  // One-sided; and one that takes more than there is.
  refuses(entry +
          "INSERT INTO ledger_line SELECT e.id, a.id, 5 FROM e, ledger_account a "
          "WHERE a.kind = 'cash'; COMMIT");
  refuses(entry +
          "INSERT INTO ledger_line SELECT e.id, a.id, CASE a.kind WHEN 'cash' THEN -10000001 ELSE "
          "10000001 END FROM e, ledger_account a WHERE a.kind IN ('cash', 'revenue'); COMMIT");
  refuses(entry + "SELECT 1; COMMIT");  // without lines
  EXPECT_EQ(cash(id), yuan(10));
  expect_sound();
}

TEST_F(WalletTest, BalancesWhateverIsDone) {
  std::mt19937 random{20190401};
  const std::array ids{account("acme", yuan(50)), account("other", yuan(50))};
  const auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  for (int i = 0; i < 120; ++i) {
    const auto& id = ids[static_cast<std::size_t>(pick(2))];
    const auto name = std::to_string(i);
    const auto amount = yuan(pick(20), pick(100));
    switch (pick(5)) {
      case 0:
        if (amount > Money{}) in([&](const Call& c) { return deposit(c, id, amount, name); });
        break;
      case 1:
        if (amount > Money{}) coupon(id, "c" + name, amount, 1h * (1 + pick(30)));
        break;
      case 2:
        pay_for(id, amount, "p" + name);
        break;
      case 3:
        if (const auto payment = pay_for(id, amount, "p" + name);
            payment && payment->from_coupons == Money{})
          in([&](const Call& c) { refund(c, id, *payment, std::nullopt, "r" + name, ""); });
        break;
      default:
        clock.time += 1h;
        in([](const Call& c) { return expire_coupons(c); });
    }
    ASSERT_GE(cash(id), Money{});
  }
  expect_sound();
}

}  // namespace
}  // namespace hub::instances
