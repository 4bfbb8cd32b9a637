#include "base/message.h"

#include <gtest/gtest.h>

namespace hub {
namespace {

TEST(Message, OwnsWhatTheViewBorrowed) {
  std::string topic = "a/b";
  std::string payload = "21.5";
  MessageView view;
  view.topic = topic;
  view.payload = payload;
  view.client_id = "c";
  view.qos = Qos::exactly_once;
  const MessageRef message = Message::make(view, "props");
  topic = "zzz";
  payload = "zzzz";
  EXPECT_EQ(message->view().topic, "a/b");
  EXPECT_EQ(message->view().payload, "21.5");
  EXPECT_EQ(message->view().client_id, "c");
  EXPECT_EQ(message->view().qos, Qos::exactly_once);
  EXPECT_EQ(message->properties(), "props");
}

TEST(Message, ExpiresAtItsInstant) {
  const Timestamp at{std::chrono::microseconds{1'000}};
  const MessageRef message = Message::make({}, {}, at);
  EXPECT_FALSE(message->expired(at - std::chrono::microseconds{1}));
  EXPECT_TRUE(message->expired(at));
  EXPECT_FALSE(Message::make({})->expired(at));
}

TEST(MessageId, PrintsAs32Digits) {
  EXPECT_EQ((MessageId{0x1, 0xabc}.to_string()), "00000000000000010000000000000abc");
}

}  // namespace
}  // namespace hub
