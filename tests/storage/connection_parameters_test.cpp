#include "storage/connection_parameters.h"

#include <gtest/gtest.h>

#include <map>
#include <stdexcept>

namespace hub::storage {
namespace {

std::map<std::string, std::string> parameters_of(const std::string& url) {
  const ConnectionParameters all = connection_parameters(url);
  return {all.begin(), all.end()};
}

TEST(ConnectionParameters, BoundAnAttemptWhereTheUrlIsSilent) {
  EXPECT_EQ(parameters_of("postgresql://a,b/d")["connect_timeout"], "5");
  EXPECT_EQ(parameters_of("postgresql://a,b/d")["host"], "a,b");
  EXPECT_EQ(parameters_of("postgresql://a/d?connect_timeout=7")["connect_timeout"], "7");
}

TEST(ConnectionParameters, AreNotMadeOfWhatIsNoUrl) {
  EXPECT_THROW((void)connection_parameters("postgresql://["), std::invalid_argument);
  EXPECT_THROW((void)connection_parameters("no_such_keyword=1"), std::invalid_argument);
}

TEST(ConnectionParameters, AreTheSameAsOneString) {
  const auto once = parameters_of(R"(host=/s user='it\'s' password='a \'b\' \\c' dbname='x y')");
  EXPECT_EQ(once.at("user"), "it's");
  EXPECT_EQ(once.at("password"), R"(a 'b' \c)");
  EXPECT_EQ(parameters_of(to_string({once.begin(), once.end()})), once);
}

}  // namespace
}  // namespace hub::storage
