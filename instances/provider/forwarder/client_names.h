#pragma once

#include <chrono>
#include <vector>

#include "instances/core/cidr.h"

namespace hub::instances {

// In which address a client's connection enters the VPC: its own, unless that cannot find its way
// back to the forwarder, being loopback or an address of one of the VPC's subnets as well.
class ClientNames {
 public:
  [[nodiscard]] Ipv4 name_of(Ipv4 client);

 private:
  using Clock = std::chrono::steady_clock;

  void refresh();

  std::vector<Cidr> local_;  // the networks of this namespace's interfaces
  Clock::time_point refreshed_ = Clock::time_point::min();
};

}  // namespace hub::instances
