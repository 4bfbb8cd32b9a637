// Kills the control plane at random instants while it makes, resizes and deletes hubs, and holds
// what is there afterwards, on the machine and in the books, against what has to be: see
// ../README.md.
#include <charconv>
#include <iostream>
#include <random>
#include <stdexcept>
#include <string_view>

#include "tests/chaos/manage/campaign.h"

namespace {

constexpr const char* kUsage = "usage: iothub-manage-chaos [--kills N] [--seed N]   (needs root)\n";

hub::chaos::ManageCampaignOptions read_options(int count, char** arguments) {
  hub::chaos::ManageCampaignOptions options;
  options.seed = std::random_device{}();
  for (int i = 1; i < count; i += 2) {
    const std::string_view name = arguments[i];
    const std::string_view value = i + 1 < count ? arguments[i + 1] : "";
    const auto* const end = value.data() + value.size();
    std::from_chars_result read{};
    if (name == "--kills") {
      read = std::from_chars(value.data(), end, options.kills);
    } else if (name == "--seed") {
      read = std::from_chars(value.data(), end, options.seed);
    }
    if (read.ptr != end || read.ec != std::errc{} || value.empty())
      throw std::invalid_argument(kUsage);
  }
  return options;
}

}  // namespace

int main(int count, char** arguments) {
  try {
    return hub::chaos::run_manage_campaign(read_options(count, arguments)) ? 0 : 1;
  } catch (const std::invalid_argument& error) {
    std::cerr << error.what();
    return 2;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
