#pragma once

#include <cstdint>

namespace hub::chaos {

struct ManageCampaignOptions {
  int kills = 5;
  std::uint32_t seed = 0;
};

// Makes, resizes and deletes hubs, so many times in all; kills the control plane at a random
// instant of each, starts it again, and checks that the hub runs or that nothing is left of it, its
// money included. Prints what it does. False when something was not as it has to be.
bool run_manage_campaign(const ManageCampaignOptions& options);

}  // namespace hub::chaos
