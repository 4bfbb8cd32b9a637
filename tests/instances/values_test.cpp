#include <gtest/gtest.h>

#include "instances/accounts/identity_numbers.h"
#include "instances/core/calendar.h"
#include "instances/core/errc.h"
#include "instances/core/money.h"
#include "instances/core/names.h"
#include "instances/core/secrets.h"
#include "instances/money/prices.h"
#include "instances/networks/networks.h"
#include "instances/networks/regions.h"

namespace hub::instances {
namespace {

using namespace std::chrono_literals;

Timestamp at(int year, unsigned month, unsigned day, int hour, int minute, int second = 0) {
  return start_of(
             Day{std::chrono::year{year} / std::chrono::month{month} / std::chrono::day{day}}) +
         std::chrono::hours{hour} + std::chrono::minutes{minute} + std::chrono::seconds{second};
}

TEST(Money, ReadsAndWritesAmounts) {
  EXPECT_EQ(parse_payment("100"), yuan(100));
  EXPECT_EQ(parse_payment("100.5"), yuan(100, 50));
  EXPECT_EQ(parse_payment("0.01"), yuan(0, 1));
  EXPECT_EQ(yuan(21, 92).to_string(), "21.92");
  EXPECT_EQ((-yuan(0, 5)).to_string(), "-0.05");
  EXPECT_EQ(Money{422'222}.to_string(), "0.422222");
  for (const char* text : {"", ".5", "5.", "1.234", "-1", "1e3", "1,5", "1234567890", " 1"})
    EXPECT_FALSE(parse_payment(text)) << text;
}

TEST(Money, CutsPartsOfACentTowardsZero) {
  EXPECT_EQ(Money{429'999}.whole_cents(), yuan(0, 42));
  EXPECT_EQ(Money{-429'999}.whole_cents(), -yuan(0, 42));
}

TEST(Calendar, DaysBeginAtMidnightInUtcPlusEight) {
  EXPECT_EQ(to_iso8601(start_of(Day{std::chrono::year{2019} / 4 / 2})), "2019-04-01T16:00:00Z");
  EXPECT_EQ(to_string(day_of(at(2019, 4, 2, 0, 0))), "2019-04-02");
  EXPECT_EQ(to_string(day_of(at(2019, 4, 2, 0, 0) - 1us)), "2019-04-01");
}

TEST(Calendar, APackageEndsAtTheLastSecondOfItsDay) {
  EXPECT_EQ(package_end(at(2018, 8, 2, 10, 0), 6), at(2019, 2, 2, 23, 59, 59));
  EXPECT_EQ(package_end(at(2018, 1, 1, 15, 0), 1), at(2018, 2, 1, 23, 59, 59));
}

TEST(Calendar, APackageEndsOnTheLastDayOfAShorterMonth) {
  EXPECT_EQ(package_end(at(2019, 1, 31, 9, 0), 1), at(2019, 2, 28, 23, 59, 59));
  EXPECT_EQ(package_end(at(2020, 1, 31, 9, 0), 1), at(2020, 2, 29, 23, 59, 59));
}

TEST(Calendar, ReadsWhatPostgresqlWrites) {
  EXPECT_EQ(to_iso8601(parse_sql_timestamp("2019-04-02 08:25:20+00")), "2019-04-02T08:25:20Z");
  EXPECT_EQ(to_iso8601(parse_sql_timestamp("2019-04-02 08:25:20.5+00")),
            "2019-04-02T08:25:20.500000Z");
  EXPECT_EQ(to_iso8601(parse_sql_timestamp("2019-04-02 08:25:20.000123+00")),
            "2019-04-02T08:25:20.000123Z");
}

TEST(Prices, DatabasesCostWhatTheListSays) {
  EXPECT_EQ(find_rds_class("1c1g", 20).monthly(20), yuan(108));
  EXPECT_EQ(find_rds_class("1c1g", 20).hourly(20), yuan(0, 25));
  EXPECT_EQ(find_rds_class("2c8g", 200).monthly(200), yuan(896));
  EXPECT_EQ(find_rds_class("2c8g", 200).hourly(200), yuan(2, 4));
  EXPECT_EQ(find_rds_class("16c64g", 2000).monthly(2000), yuan(7488));
  std::size_t rows = 0;
  for (const auto& klass : rds_classes()) rows += klass.storage_gb.size();
  EXPECT_EQ(rows, 34u);
}

TEST(Prices, RefusesSizesThatAreNotInTheList) {
  EXPECT_THROW(find_rds_class("1c1g", 25), Refusal);
  EXPECT_THROW(find_rds_class("3c3g", 20), Refusal);
}

TEST(Prices, AnHourIsChargedToTheSecond) {
  EXPECT_EQ(price_of_seconds(yuan(1), 1800).whole_cents(), yuan(0, 50));
  EXPECT_EQ(price_of_seconds(yuan(1), 3600), yuan(1));
  EXPECT_EQ(price_of_seconds(yuan(1), 1520), Money{422'222});
}

TEST(Prices, FourHalfKilobytesAreOneUnitThatIsPaid) {
  EXPECT_EQ(paid_units_of(1), 1);
  EXPECT_EQ(paid_units_of(4), 1);
  EXPECT_EQ(paid_units_of(5), 2);
}

TEST(Prices, AMessageThatFindsFreeUnitsLeftIsNotPaid) {
  MessageMeter meter{.free_left = 3};
  meter.count(2);
  meter.count(8);  // of which one is left
  meter.count(8);  // two of those that are paid
  EXPECT_EQ(meter.free_left, 0);
  EXPECT_EQ(meter.free_used, 3);
  EXPECT_EQ(meter.paid_units, 2);
}

TEST(Prices, ManyMessagesCostWhatTheyCostOneByOne) {
  for (const std::int64_t free : {0, 1, 5, 6, 7, 30, 100})
    for (const std::int64_t size : {1, 2, 3, 5}) {
      MessageMeter together{.free_left = free}, apart{.free_left = free};
      together.count(size, 10);
      for (int i = 0; i < 10; ++i) apart.count(size);
      EXPECT_EQ(together.free_used, apart.free_used) << free << " free, of size " << size;
      EXPECT_EQ(together.paid_units, apart.paid_units) << free << " free, of size " << size;
    }
}

TEST(Prices, MessagesOfADayCostTheFeeOfTheirTier) {
  EXPECT_EQ(message_fee(0).fee, Money{});
  EXPECT_EQ(message_fee(1).fee, yuan(4, 24));
  EXPECT_EQ(message_fee(200'000).fee, yuan(4, 24));
  EXPECT_EQ(message_fee(400'000).fee, yuan(4, 24));
  EXPECT_EQ(message_fee(400'001).fee, yuan(42, 40));
  EXPECT_EQ(message_fee(1'000'000).fee, yuan(42, 40));
  EXPECT_EQ(message_fee(6'000'000).fee, yuan(42, 40));
  EXPECT_EQ(message_fee(6'000'001).fee, yuan(424));
  EXPECT_FALSE(message_fee(300'000'000).contact_sales);
  EXPECT_TRUE(message_fee(300'000'001).contact_sales);
  EXPECT_EQ(message_fee(300'000'001).fee, yuan(424));
}

TEST(Prices, TenDevicesADayAreFree) {
  EXPECT_EQ(device_fee(8), Money{});
  EXPECT_EQ(device_fee(10), Money{});
  EXPECT_EQ(device_fee(20), yuan(0, 8));
}

TEST(Names, TakeChineseCharactersLettersDigitsAndTwoSigns) {
  EXPECT_NO_THROW(check_name("VPC", "plant-1_A"));
  EXPECT_NO_THROW(check_name("VPC", "生产线"));
  EXPECT_NO_THROW(check_name("VPC", std::string(32, 'x')));
  for (const auto& name : {std::string{}, std::string(33, 'x'), std::string{"a b"},
                           std::string{"a.b"}, std::string{"\xff"}, std::string{"é"}})
    EXPECT_THROW(check_name("VPC", name), Refusal) << name;
  EXPECT_THROW(check_name("hub", "x", 2), Refusal);
}

TEST(IdentityNumbers, AreCheckedByTheirLastCharacter) {
  EXPECT_TRUE(is_identity_number("11010519491231002X"));
  EXPECT_FALSE(is_identity_number("110105194912310021"));
  EXPECT_FALSE(is_identity_number("1101051949123100"));
  EXPECT_FALSE(is_identity_number("11010519491231002x"));
  EXPECT_TRUE(is_social_credit_code("91350100M000100Y43"));
  EXPECT_FALSE(is_social_credit_code("91350100M000100Y44"));
  EXPECT_FALSE(is_social_credit_code("91350100I000100Y43"));
}

TEST(Addresses, FourOfEachSubnetAreNotGivenAway) {
  EXPECT_EQ(usable_addresses(*parse_cidr("10.1.0.0/24")), 252);
  EXPECT_EQ(usable_addresses(*parse_cidr("10.1.0.0/28")), 12);
  EXPECT_EQ(usable_addresses(*parse_cidr("10.1.0.0/16")), 65'532);
  const auto subnet = *parse_cidr("10.1.0.0/24");
  for (const char* reserved : {"10.1.0.0", "10.1.0.1", "10.1.0.2", "10.1.0.255"})
    EXPECT_FALSE(is_usable(subnet, *parse_ipv4(reserved))) << reserved;
  EXPECT_TRUE(is_usable(subnet, *parse_ipv4("10.1.0.3")));
  EXPECT_TRUE(is_usable(subnet, *parse_ipv4("10.1.0.254")));
}

TEST(Regions, OfferHubsInOnePlace) {
  EXPECT_EQ(find_hub_region("cn-north-1").zones.size(), 3u);
  EXPECT_THROW(find_hub_region("cn-east-2"), Refusal);
  EXPECT_NO_THROW(find_region("cn-east-2"));
  EXPECT_THROW(find_region("cn-west-1"), Refusal);
}

TEST(Secrets, APasswordIsKnownByItsHashOnly) {
  const auto stored = hash_password("correct horse");
  EXPECT_TRUE(stored.starts_with("$argon2id$"));
  EXPECT_TRUE(verify_password(stored, "correct horse"));
  EXPECT_FALSE(verify_password(stored, "wrong horse"));
  EXPECT_NE(new_secret(), new_secret());
  EXPECT_EQ(new_id("vpc").size(), 14u);
}

TEST(Errors, HaveStableNames) {
  EXPECT_EQ(name_of(Errc::AccountNotVerified), "AccountNotVerified");
  EXPECT_EQ(name_of(Errc::DatabaseNotInitialized), "DatabaseNotInitialized");
  EXPECT_EQ(name_of(Errc::SubnetIpExhausted), "SubnetIpExhausted");
  EXPECT_EQ(http_status_of(Errc::InsufficientBalance), 402);
  EXPECT_EQ(http_status_of(Errc::VersionConflict), 412);
}

}  // namespace
}  // namespace hub::instances
