// Kills the control plane at random instants while it makes a hub, and holds what is there
// afterwards, on the machine and in the books, against what has to be: see ../README.md.
#include <CLI/CLI.hpp>
#include <iostream>
#include <random>

#include "tests/chaos/manage/campaign.h"

int main(int count, char** arguments) {
  hub::chaos::ManageCampaignOptions options;
  options.seed = std::random_device{}();
  CLI::App app("Kills `iothub manage serve` while it makes hubs. Needs root.",
               "iothub-manage-chaos");
  app.add_option("--kills", options.kills, "How many hubs to make, each with a kill or two")
      ->capture_default_str();
  app.add_option("--seed", options.seed, "Of the instants; random by default");
  CLI11_PARSE(app, count, arguments);
  try {
    return hub::chaos::run_manage_campaign(options) ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << "seed " << options.seed << ": " << error.what() << '\n';
    return 1;
  }
}
