#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "instances/operations/lifecycle.h"
#include "instances/operations/worker.h"

namespace hub::instances {

// Runs the control plane's work on threads of its own: operations as they come, and every few
// seconds the jobs of operations/lifecycle.h. What fails is logged, and tried again in the next
// round.
class ControlPlane {
 public:
  // Removes what no record knows, before it returns. `machinery` borrows: it must outlive this.
  explicit ControlPlane(Machinery machinery);
  ~ControlPlane();  // ends after the steps that are under way
  ControlPlane(const ControlPlane&) = delete;
  ControlPlane& operator=(const ControlPlane&) = delete;

 private:
  void carry_out_operations();
  void keep_house();
  // False when the end has come.
  bool pause(std::chrono::milliseconds time);

  Machinery machinery_;
  Worker worker_;
  std::mutex mutex_;
  std::condition_variable ending_;
  bool end_ = false;  // guarded by mutex_
  std::vector<std::thread> threads_;
};

}  // namespace hub::instances
