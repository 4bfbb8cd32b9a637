#include "instances/core/cidr.h"

#include <gtest/gtest.h>

namespace hub::instances {
namespace {

Cidr cidr(std::string_view text) { return parse_cidr(text).value(); }

TEST(Cidr, ReadsAndWritesTheUsualForm) {
  EXPECT_EQ(cidr("10.1.0.0/16").to_string(), "10.1.0.0/16");
  EXPECT_EQ(cidr("0.0.0.0/0"), kAnywhere);
  EXPECT_EQ(cidr("192.168.1.7").mask, 32);
  EXPECT_EQ(parse_ipv4("255.255.255.255")->bits, 0xffffffffu);
}

TEST(Cidr, RefusesWhatIsNotOne) {
  for (const char* text : {"", "10", "10.1.0.0/", "10.1.0.0/33", "10.1.0/16", "10.1.0.0.0/16",
                           "10.1.0.256/32", "010.1.0.0/16", "10.1.0.0/016", "10.1.0.0/16 ",
                           " 10.1.0.0/16", "10.1.0.0/-1", "10..0.0/8", "+1.0.0.0/8", "::/0"}) {
    EXPECT_FALSE(parse_cidr(text)) << text;
  }
}

TEST(Cidr, RefusesBitsOutsideTheMask) { EXPECT_FALSE(parse_cidr("10.1.0.5/16")); }

TEST(Cidr, KnowsWhatItContainsAndOverlaps) {
  EXPECT_TRUE(cidr("10.1.0.0/16").contains(cidr("10.1.255.0/24")));
  EXPECT_FALSE(cidr("10.1.255.0/24").contains(cidr("10.1.0.0/16")));
  EXPECT_TRUE(cidr("10.1.255.0/24").overlaps(cidr("10.1.0.0/16")));
  EXPECT_FALSE(cidr("10.1.0.0/16").overlaps(cidr("10.2.0.0/16")));
  EXPECT_TRUE(cidr("10.1.0.0/24").contains(*parse_ipv4("10.1.0.255")));
  EXPECT_FALSE(cidr("10.1.0.0/24").contains(*parse_ipv4("10.1.1.0")));
  EXPECT_TRUE(kAnywhere.contains(cidr("255.255.255.255/32")));
}

}  // namespace
}  // namespace hub::instances
