#include "broker/mqtt/reason_code.h"

#include <gtest/gtest.h>

#include <set>
#include <string_view>

namespace hub::mqtt {
namespace {

TEST(ReasonCode, HasANameOfItsOwnForEachNumberOfTheStandard) {
  std::set<std::string_view> names;
  for (unsigned code = 0; code <= 0xFF; ++code) {
    const auto found = name(static_cast<ReasonCode>(code));
    if (found != "unknown") EXPECT_TRUE(names.insert(found).second) << found;
  }
  EXPECT_EQ(names.size(), 43u);  // MQTT 5.0 table 2-6
  EXPECT_EQ(name(ReasonCode::receive_maximum_exceeded), "receive_maximum_exceeded");
}

TEST(ConnectReturnCode, TellsA311ClientTheNearestOfSix) {
  EXPECT_EQ(connect_return_code(ReasonCode::success), ConnectReturnCode::accepted);
  EXPECT_EQ(connect_return_code(ReasonCode::unsupported_protocol_version),
            ConnectReturnCode::unacceptable_protocol_version);
  EXPECT_EQ(connect_return_code(ReasonCode::client_identifier_not_valid),
            ConnectReturnCode::identifier_rejected);
  EXPECT_EQ(connect_return_code(ReasonCode::server_busy), ConnectReturnCode::server_unavailable);
  EXPECT_EQ(connect_return_code(ReasonCode::quota_exceeded), ConnectReturnCode::server_unavailable);
  EXPECT_EQ(connect_return_code(ReasonCode::bad_user_name_or_password),
            ConnectReturnCode::bad_user_name_or_password);
  EXPECT_EQ(connect_return_code(ReasonCode::banned), ConnectReturnCode::not_authorized);
  EXPECT_EQ(connect_return_code(ReasonCode::malformed_packet), std::nullopt);
  EXPECT_EQ(connect_return_code(ReasonCode::packet_too_large), std::nullopt);
}

}  // namespace
}  // namespace hub::mqtt
