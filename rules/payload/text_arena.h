#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

namespace hub::rules {

// Where computed text lives until a rule is done with a message. Memory is kept between messages,
// so that the steady state allocates nothing; a text has kPayloadPadding readable bytes past its
// end.
class TextArena {
 public:
  // One text; all texts of one rule may have twice as much. A rule that wants more fails.
  static constexpr std::size_t kMaxBytes = std::size_t{16} << 20;

  // Writes one text. Only one builder may be under way; what it wrote is given up unless finish()
  // is called. Writing past kMaxBytes is ignored and makes overflowed() true.
  class Builder {
   public:
    explicit Builder(TextArena& arena) : arena_(arena) {}
    void append(std::string_view text) {
      if (text.size() > static_cast<std::size_t>(limit_ - end_)) {
        append_slow(text);
        return;
      }
      if (!text.empty()) text.copy(end_, text.size());
      end_ += text.size();
    }
    void append(char c) { append(std::string_view(&c, 1)); }
    // Room for `bytes` after what is there, or null; wrote() says how many of them count.
    [[nodiscard]] char* room(std::size_t bytes);
    void wrote(std::size_t bytes) { end_ += bytes; }
    [[nodiscard]] std::string_view text() const {
      return {begin_, static_cast<std::size_t>(end_ - begin_)};
    }
    [[nodiscard]] std::string_view finish();

   private:
    void append_slow(std::string_view text);

    TextArena& arena_;
    char* begin_ = nullptr;
    char* end_ = nullptr;
    char* limit_ = nullptr;
  };

  [[nodiscard]] std::string_view copy(std::string_view text) {
    Builder builder(*this);
    builder.append(text);
    return builder.finish();
  }

  // True once a text did not fit; it is then incomplete.
  [[nodiscard]] bool overflowed() const { return overflowed_; }

  // Gives up all texts.
  void reset();

 private:
  // Room for at least `bytes` and the padding; null past kMaxBytes.
  char* reserve(std::size_t bytes, char*& limit);

  struct Block {
    std::unique_ptr<char[]> bytes;
    std::size_t size = 0;
  };
  static constexpr std::size_t kFirstBlock = std::size_t{16} << 10;
  static constexpr std::size_t kKeptBytes = std::size_t{256} << 10;

  std::vector<Block> blocks_;
  std::size_t current_ = 0;  // the block that is being filled
  std::size_t used_ = 0;     // of that block
  std::size_t total_ = 0;    // reserved in all blocks
  bool overflowed_ = false;
};

}  // namespace hub::rules
