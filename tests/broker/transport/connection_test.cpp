// What a connection keeps of what came and of what is to go, over a pair of sockets.
#include "broker/transport/connection.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <string>

#include "base/message.h"

namespace hub::broker {
namespace {

using Result = Transport::Result;

class ConnectionTest : public testing::Test {
 protected:
  ConnectionTest() : connection(Transport{near(), {}}) {}

  void send(std::string_view bytes) {
    ASSERT_EQ(::send(far_.get(), bytes.data(), bytes.size(), 0),
              static_cast<ssize_t>(bytes.size()));
  }
  std::string received() {
    std::string bytes(1 << 20, '\0');
    const ssize_t n = ::recv(far_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    bytes.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return bytes;
  }
  void close_far() { far_.reset(); }

  ReadBuffer buffer;
  BufferPool pool;
  FileDescriptor far_;
  Connection connection;

 private:
  FileDescriptor near() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()), 0);
    far_.reset(ends[1]);
    return FileDescriptor{ends[0]};
  }
};

TEST_F(ConnectionTest, GivesWhatWasUnreadTogetherWithWhatComesAfterIt) {
  send("abcdef");
  auto input = connection.read(buffer, ReadBuffer::kBytes);
  ASSERT_EQ(input.result, Result::done);
  EXPECT_EQ(input.bytes, "abcdef");
  connection.keep(input.bytes.substr(4));
  EXPECT_EQ(connection.unread_bytes(), 2u);
  send("gh");
  EXPECT_EQ(connection.read(buffer, ReadBuffer::kBytes).bytes, "efgh");
}

TEST_F(ConnectionTest, ReadsNoMoreThanItIsTold) {
  send("abcdef");
  const auto input = connection.read(buffer, 2);
  EXPECT_EQ(input.bytes, "ab");
  connection.keep({});
  EXPECT_EQ(connection.read(buffer, 100).bytes, "cdef");
}

TEST_F(ConnectionTest, HoldsNothingWhenAllWasHandled) {
  send("abc");
  (void)connection.read(buffer, ReadBuffer::kBytes);
  connection.keep({});
  EXPECT_EQ(connection.unread_bytes(), 0u);
  EXPECT_EQ(connection.read(buffer, ReadBuffer::kBytes).result, Result::would_block);
  EXPECT_EQ(connection.unread(buffer).result, Result::would_block);
}

// Whatever pieces it comes in and however large it grows, nothing is lost or told twice.
TEST_F(ConnectionTest, GathersALargePacketPieceByPiece) {
  std::string all;
  for (int i = 0; all.size() < 700'000; ++i) all += std::to_string(i) + ",";
  std::size_t gone = 0;
  std::string_view held;
  while (held.size() < all.size()) {
    if (gone < all.size()) {
      const std::size_t piece = std::min<std::size_t>(30'000, all.size() - gone);
      send(std::string_view{all}.substr(gone, piece));
      gone += piece;
    }
    const auto input = connection.read(buffer, ReadBuffer::kBytes);
    ASSERT_EQ(input.result, Result::done);
    held = input.bytes;
    ASSERT_EQ(held, std::string_view{all}.substr(0, held.size()));
    connection.keep(held);
    held = connection.unread_input();
  }
  const auto input = connection.unread(buffer);
  EXPECT_EQ(input.bytes, all);
  connection.keep(input.bytes.substr(all.size() - 5));
  EXPECT_EQ(connection.unread_input(), std::string_view{all}.substr(all.size() - 5));
}

TEST_F(ConnectionTest, SaysWhenTheOtherEndHasClosed) {
  send("last");
  close_far();
  EXPECT_EQ(connection.read(buffer, ReadBuffer::kBytes).bytes, "last");
  connection.keep({});
  EXPECT_EQ(connection.read(buffer, ReadBuffer::kBytes).result, Result::ended);
  connection.out(pool) = "answer";
  EXPECT_EQ(connection.flush(pool), Connection::Flush::failed);
}

TEST_F(ConnectionTest, SendsTheRestOnceTheTransportTakesIt) {
  std::string all(3 << 20, 'x');
  for (std::size_t i = 0; i < all.size(); i += 1'000) all[i] = static_cast<char>('a' + i % 26);
  connection.out(pool) = all;
  std::string got;
  while (connection.flush(pool) == Connection::Flush::transport_full) {
    EXPECT_GT(connection.unsent_bytes(), 0u);
    got += received();
  }
  while (got.size() < all.size()) got += received();
  EXPECT_EQ(got, all);
  EXPECT_EQ(connection.unsent_bytes(), 0u);
}

TEST_F(ConnectionTest, MovesWithWhatIsUnread) {
  send("abcdef");
  const auto input = connection.read(buffer, ReadBuffer::kBytes);
  Connection moved{std::move(connection.transport())};
  moved.keep(input.bytes.substr(1));
  send("g");
  EXPECT_EQ(moved.read(buffer, ReadBuffer::kBytes).bytes, "bcdefg");
}

TEST(ConnectionHolds, AreReleasedOneByOne) {
  Connection connection{Transport{FileDescriptor{}, {}}};
  connection.hold(Connection::Hold::storage);
  connection.hold(Connection::Hold::output_full);
  connection.release(Connection::Hold::storage);
  EXPECT_TRUE(connection.is_held());
  EXPECT_FALSE(connection.is_held(Connection::Hold::storage));
  connection.release(Connection::Hold::output_full);
  EXPECT_FALSE(connection.is_held());
}

TEST(PeerAddressTest, ReadsAsPeopleWriteIt) {
  sockaddr_storage storage{};
  auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
  v4.sin_family = AF_INET;
  v4.sin_port = htons(40'112);
  ASSERT_EQ(::inet_pton(AF_INET, "192.0.2.7", &v4.sin_addr), 1);
  EXPECT_EQ(PeerAddress{storage}.to_string(), "192.0.2.7:40112");
  storage = {};
  auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(1'883);
  ASSERT_EQ(::inet_pton(AF_INET6, "2001:db8::1", &v6.sin6_addr), 1);
  EXPECT_EQ(PeerAddress{storage}.to_string(), "[2001:db8::1]:1883");
  EXPECT_EQ(PeerAddress{}.to_string(), "a local client");
}

}  // namespace
}  // namespace hub::broker
